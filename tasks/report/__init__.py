"""Tables → what people look at: the verdict in words (`words.py`) and the page (`page.py`). Reads tables only."""
