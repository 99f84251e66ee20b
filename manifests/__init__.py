"""Text in, text out: playlists, timelines, ladders, URLs. No I/O, no clock."""
