"""
Designs voices with the vendor's own client, in a process of its own.

Reads from standard input a JSON list of objects with ``base_url``, ``api_key`` and ``calls``: a
list of names of the resource's methods and their arguments, in which ``{voice}`` stands for the id
of the voice that was created last. Writes a list of lists of results: what the client made of each
answer, or the status, code, message and request id of the error it raised.
"""

import json
import sys

import dashscope
from dashscope.v2.errors import DashScopeError


def told(client, method, arguments):
    try:
        result = getattr(client.audio.voice_design, method)(**arguments)
    except DashScopeError as error:
        return {
            "error": type(error).__name__,
            "status": error.status_code,
            "code": error.code,
            "message": error.message,
            "request_id": error.request_id,
        }
    return result.model_dump(mode="json")


def results_of(base_url, api_key, calls):
    client = dashscope.Client(api_key=api_key, base_url=base_url, max_retries=0)
    results, voice = [], ""
    for method, arguments in calls:
        filled = {
            name: value.replace("{voice}", voice) if isinstance(value, str) else value
            for name, value in arguments.items()
        }
        results.append(told(client, method, filled))
        voice = results[-1].get("voice") or voice
    client.close()
    return results


def main():
    json.dump([results_of(**one) for one in json.load(sys.stdin)], sys.stdout)


main()
