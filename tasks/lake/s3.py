"""A lake in a bucket: one request for what is one act, and errors in words that say what to do.

    s3 = S3("s3://bucket/prefix")
    s3.create("votes/…/5f0c….parquet", data)    one PUT, `If-None-Match: *`: whoever comes second finds it done
    s3.listed("votes")                          one LIST for each thousand files

Who we are and where the server is comes from the environment, or from a profile of the AWS configuration, and from nowhere
else: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE, AWS_ENDPOINT_URL (or AWS_ENDPOINT_URL_S3),
AWS_REGION (or AWS_DEFAULT_REGION). No key of it stands in any text of ours.
"""

import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, cast
from urllib.parse import urlsplit

from tasks.errors import UserError
from tasks.lake.entry import Entry
from tasks.lake.fingerprints import fingerprint

_LARGEST_PUT = 5 * 2**30  # bytes; S3's own limit, above which a file would have to be sent in parts
_LARGEST_DELETE = 1000  # files in one request
_AGAINST_EACH_OTHER = 5  # writers of one file at the same moment: how often one of them tries again

_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidClientTokenId"}
_NO_BUCKET = {"NoSuchBucket", "InvalidBucketName"}
_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}
_THERE_ALREADY = {"PreconditionFailed", "412"}
_AT_THE_SAME_TIME = {"ConditionalRequestConflict", "409"}

_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_MAX_ATTEMPTS",  # botocore's own, for one request; around them s3fs tries five times what is a broken connection
)
_connecting = threading.Lock()


class S3:
    """The files under `s3://bucket/prefix`. Paths are relative to it.

    Every method raises UserError where a person has to do something (credentials, rights, bucket, region) and OSError where
    it may pass (no answer, too many requests).
    """

    is_local = False

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._bucket, _, self._prefix = self.url.removeprefix("s3://").partition("/")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", self._bucket):
            raise UserError("lake: no bucket's name; expected s3://bucket/prefix, with credentials in the environment and not in the name")

    def location(self, path: str) -> str:
        """The URL of `path`."""
        return f"{self.url}/{path}".rstrip("/")

    def check(self) -> None:
        """Ask for one name, to find out whether this lake can be used. Raises UserError also where nobody answers."""
        try:
            self._call("list_objects_v2", Prefix=self._key(""), MaxKeys=1)
        except ConnectionError as error:
            raise UserError(f"{error}; is AWS_ENDPOINT_URL right, and does the server run?") from None

    def exists(self, path: str) -> bool:
        """Whether the file is there."""
        try:
            self._call("head_object", Key=self._key(path))
        except FileNotFoundError:
            return False
        return True

    def listed(self, folder: str) -> dict[str, Entry]:
        """Every file below `folder` → when it was written, and its size."""
        start = len(self._key(""))
        pages = self._pages(Prefix=self._below(folder))
        return {entry["Key"][start:]: Entry(entry["LastModified"], entry["Size"]) for page in pages for entry in page.get("Contents", ())}

    def names(self, folder: str) -> list[str]:
        """Names of the folders and files directly in `folder`, sorted."""
        start = len(self._below(folder))
        found = set()
        for page in self._pages(Prefix=self._below(folder), Delimiter="/"):
            found |= {entry["Prefix"][start:].rstrip("/") for entry in page.get("CommonPrefixes", ())}
            found |= {entry["Key"][start:] for entry in page.get("Contents", ())}
        return sorted(found - {""})

    def read(self, path: str) -> bytes:
        """The file's bytes: one GET. Raises FileNotFoundError."""
        with self._explained():
            return bytes(self.filesystem.cat_file(f"{self._bucket}/{self._key(path)}"))

    def write(self, path: str, data: bytes) -> None:
        """Write the whole file or nothing, over what is there: one PUT."""
        with self._explained():
            self.filesystem.pipe_file(f"{self._bucket}/{self._key(path)}", data, chunksize=_LARGEST_PUT)

    def create(self, path: str, data: bytes) -> None:
        """Write the whole file or nothing; a file that is there already stays as it is: one PUT, `If-None-Match: *`."""
        for attempt in range(_AGAINST_EACH_OTHER):
            try:
                with self._explained():
                    self.filesystem.pipe_file(f"{self._bucket}/{self._key(path)}", data, chunksize=_LARGEST_PUT, mode="create")
            except FileExistsError:
                pass  # so it is done: a file's name says what is in it
            except _SameTime:
                if attempt + 1 < _AGAINST_EACH_OTHER:
                    continue
                raise
            return

    def remove(self, paths: Sequence[str]) -> None:
        """Remove these files, those that are there: one DELETE for each thousand."""
        for start in range(0, len(paths), _LARGEST_DELETE):
            keys = [{"Key": self._key(path)} for path in paths[start : start + _LARGEST_DELETE]]
            answer = self._call("delete_objects", Delete={"Objects": keys, "Quiet": True})
            for failed in answer.get("Errors", ()):
                raise self._error(failed.get("Code", ""), f"{self.location('')}: {failed.get('Key')} cannot be removed")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A bucket has no lock: whoever runs on it from several machines has a limit of one refresh at a time (`infra/prefect.yaml`)."""
        yield

    def is_had(self) -> bool | None:
        """Without a lock it cannot be told."""
        return None

    @property
    def filesystem(self) -> Any:
        """The s3fs filesystem: one for all threads of this process, as long as the environment stays as it is."""
        with self._explained(), _connecting:
            return _filesystem(*_settings(), os.getpid())

    @property
    def scan_options(self) -> dict[str, Any]:
        """What `polars.scan_parquet` has to be told."""
        with self._explained():
            endpoint, region, who = _settings()
            options = {"aws_region": region} if region else {}
            if endpoint:
                options |= {"aws_endpoint_url": endpoint, "aws_allow_http": str(endpoint.startswith("http://")).lower()}
            return {"storage_options": options, "credential_provider": _credential_provider(who)}

    def _key(self, path: str) -> str:
        return f"{self._prefix}/{path}" if self._prefix else path

    def _below(self, folder: str) -> str:
        return self._key(f"{folder}/" if folder else "")

    def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        with self._explained():
            return cast(dict[str, Any], self.filesystem.call_s3(method, Bucket=self._bucket, **arguments))

    def _pages(self, **arguments: Any) -> Iterator[dict[str, Any]]:
        page = self._call("list_objects_v2", **arguments)
        yield page
        while page.get("IsTruncated"):
            page = self._call("list_objects_v2", ContinuationToken=page["NextContinuationToken"], **arguments)
            yield page

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of s3fs and botocore as ours. Their own text is left out: a server may repeat there what it was sent."""
        from aiohttp import ClientError as BrokenConnection
        from botocore import exceptions as botocore

        try:
            yield
        except (botocore.NoCredentialsError, botocore.PartialCredentialsError):
            raise UserError(
                f"lake {self.url}: no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, "
                "or, for a run file, its `secrets`"
            ) from None
        except (botocore.ProfileNotFound, botocore.ConfigParseError) as error:
            raise UserError(f"lake {self.url}: AWS_PROFILE: {error}") from None
        except (botocore.BotoCoreError, BrokenConnection) as error:
            server = urlsplit(_settings()[0] or "https://s3.amazonaws.com")
            name = f"{server.hostname}:{server.port}" if server.port else server.hostname
            raise ConnectionError(f"lake {self.url}: no answer from {name} ({type(error).__name__})") from None
        except (OSError, botocore.ClientError) as error:
            cause = error if isinstance(error, botocore.ClientError) else error.__cause__
            if not isinstance(cause, botocore.ClientError):
                raise
            raise self._error(str(cause.response.get("Error", {}).get("Code", "")), f"lake {self.url}", error) from None
        except ValueError as error:  # botocore's, for an endpoint that is none
            if isinstance(error, UserError):
                raise
            raise UserError(f"lake {self.url}: AWS_ENDPOINT_URL is not usable; expected something like http://127.0.0.1:8333") from None

    def _error(self, code: str, what: str, error: Exception | None = None) -> Exception:
        if code in _THERE_ALREADY:
            return FileExistsError(f"{what}: is there already")
        if code in _AT_THE_SAME_TIME:
            return _SameTime(f"{what}: somebody else writes the same file")
        if code in _KEYS:
            return UserError(
                f"{what}: these credentials are not accepted ({code}); check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
            )
        if code in _NO_BUCKET:
            return UserError(f"{what}: there is no such bucket ({code}); create it, or correct the lake's name")
        if code in _REGION:
            return UserError(f"{what}: the bucket is in another region ({code}); set AWS_REGION")
        if isinstance(error, PermissionError) or code in {"AccessDenied", "403", "Forbidden"}:
            return UserError(f"{what}: not allowed ({code}); these credentials need the rights to list, read, write and delete there")
        if isinstance(error, FileNotFoundError):
            return FileNotFoundError(f"{what}: no such file")
        return OSError(getattr(error, "errno", None) or 5, f"{what}: the server says {code or 'nothing'}")


class _SameTime(OSError):
    """Somebody else is writing the same file at this moment."""


def _settings() -> tuple[str | None, str | None, str]:
    """Endpoint, region, and a fingerprint of all else that makes a client. Without an endpoint, AWS finds a bucket's region itself."""
    given = os.environ.get
    who = fingerprint([given(name) for name in _VARIABLES])
    profile = _session(who).get_scoped_config()
    endpoint = given("AWS_ENDPOINT_URL_S3") or given("AWS_ENDPOINT_URL") or profile.get("endpoint_url")
    region = given("AWS_REGION") or given("AWS_DEFAULT_REGION") or profile.get("region")
    return endpoint, region or ("us-east-1" if endpoint else None), who


@lru_cache(maxsize=8)
def _session(who: str) -> Any:
    import botocore.session

    return botocore.session.get_session()


@lru_cache(maxsize=8)
def _filesystem(endpoint: str | None, region: str | None, who: str, process: int) -> Any:
    """Connected once, since two threads that connect at the same time would each make a client; but not shared with a fork."""
    from s3fs import S3FileSystem

    filesystem = S3FileSystem(
        endpoint_url=endpoint,
        client_kwargs={"region_name": region},
        use_listings_cache=False,  # another worker's files are there as soon as they are written
        max_concurrency=1,  # more would ask for a file's size before each GET
        skip_instance_cache=True,  # which is one for each thread
    )
    filesystem.connect()
    return filesystem


@lru_cache(maxsize=8)
def _credential_provider(who: str) -> Callable[[], tuple[dict[str, str], int | None]]:
    """What Polars asks for credentials: the same that s3fs has, renewed where they expire."""
    from botocore.exceptions import NoCredentialsError

    credentials = _session(who).get_credentials()
    if credentials is None:
        raise NoCredentialsError

    def provide() -> tuple[dict[str, str], int | None]:
        frozen = credentials.get_frozen_credentials()
        found = {"aws_access_key_id": frozen.access_key, "aws_secret_access_key": frozen.secret_key}
        if frozen.token:
            found["aws_session_token"] = frozen.token
        expires = getattr(credentials, "_expiry_time", None)
        return found, int(expires.timestamp()) if expires else None

    return provide
