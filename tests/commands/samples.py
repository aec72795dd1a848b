"""Small jobs that tests of commands use."""

CHAIN = """
title: A chain of three
stages:
  fetch: {handler: steps.fetch, retry: [1h]}
  extract: {handler: steps.extract}
  score: {handler: steps.score}
"""

STEPS = '''
from rivus.model.outcome import ItemFailed, RetryLater, Skip, SourceBlocked, Halt
import os, time, sys

def fetch(item, ctx):
    what = item.get("do")
    if what == "fail": raise ItemFailed("this one is bad")
    if what == "later": raise RetryLater("not yet", after=3600)
    if what == "soon":
        if ctx.attempt == 1: raise RetryLater("not yet", after=0.2)
    if what == "skip": raise Skip("nothing here")
    if what == "halt": raise Halt("no credential")
    if what == "block": raise SourceBlocked("429", until=time.time() + 3600)
    if what == "empty": return {}
    if what == "none": return None
    if what == "crash": raise ZeroDivisionError("oh")
    if what == "exit": sys.exit(3)
    if what == "nan": return {"x": float("nan")}
    if what == "hang": time.sleep(600)
    if what == "slow": time.sleep(1)
    if what == "die": os.kill(os.getpid(), 9)
    return {"raw": "hello " + str(item.get("title", ""))}

def extract(item, ctx):
    return {"text": item["raw"].upper()}

async def score(item, ctx):
    return {"value": len(item["text"])}
'''
