"""
Holds realtime sessions with the vendor's own client, in a process of its own.

Reads a JSON list of sessions from standard input, writes one of results. A session is an object
with ``url``, ``api_key``, ``model``, ``update`` (arguments of the client's method) and ``steps``:
``["append", text]``, ``["commit"]``, ``["clear"]``, ``["cancel"]``, ``["finish"]``, or
``["await", type, n]``, which waits until *n* events of a type have come. A result tells every
event, and what the client remembers of the session.
"""

import json
import sys
import threading

import dashscope
from dashscope.audio.qwen_tts_realtime import QwenTtsRealtime, QwenTtsRealtimeCallback

LIMIT_S = 20


class Listener(QwenTtsRealtimeCallback):
    def __init__(self):
        self.events = []
        self.is_closed = False
        self.changed = threading.Condition()

    def on_event(self, message):
        with self.changed:
            self.events.append(message)
            self.changed.notify_all()

    def on_close(self, close_status_code, close_msg):
        with self.changed:
            self.is_closed = True
            self.changed.notify_all()

    def await_events(self, kind, count):
        def has_come():
            return self.is_closed or [event["type"] for event in self.events].count(kind) >= count

        with self.changed:
            if not self.changed.wait_for(has_come, LIMIT_S):
                raise TimeoutError(f"{kind} did not come {count} times in {LIMIT_S} s.")


def hold(session):
    dashscope.api_key = session["api_key"]
    listener = Listener()
    client = QwenTtsRealtime(session["model"], callback=listener, url=session["url"])
    actions = {
        "append": client.append_text,
        "commit": client.commit,
        "clear": client.clear_appended_text,
        "cancel": client.cancel_response,
        "finish": client.finish,
        "await": listener.await_events,
    }
    client.connect()
    client.update_session(**session["update"])
    for name, *arguments in session["steps"]:
        actions[name](*arguments)
    remembered = {
        "session_id": client.get_session_id(),
        "last_response_id": client.get_last_response_id(),
        "last_message": client.get_last_message(),
    }
    # Its thread would tell of this close only after 10 s, which is not waited for.
    client.close()
    return {"events": listener.events, **remembered}


def main():
    json.dump([hold(session) for session in json.load(sys.stdin)], sys.stdout)


main()
