"""What the scripts that open pages have in common: a list of tests, and how they are run and told."""
import asyncio
import pathlib
import subprocess
import sys
import tempfile
import traceback

from browser import Browser

TESTS = []


def test(function):
    """Of a browser and the pages that were made."""
    TESTS.append(function)
    return function


def run(program, folder, *arguments, accepted=(0,)):
    made = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True)
    assert made.returncode in accepted, made.stderr


async def quiet(browser):
    assert browser.complaints() == [], browser.complaints()
    assert browser.requests() == [], browser.requests()


async def passed(function, browser, pages):
    try:
        await function(browser, pages)
    except Exception:  # noqa: BLE001
        traceback.print_exc(file=sys.stdout)
        print(f"test {function.__name__} ... FAILED")
        return False
    print(f"test {function.__name__} ... ok")
    return True


async def all_of(program, make, pictures, folder_of_pictures):
    with tempfile.TemporaryDirectory() as folder:
        pages = make(program, pathlib.Path(folder))
        async with Browser() as browser:
            good = sum([await passed(function, browser, pages) for function in TESTS])
            if folder_of_pictures:
                folder_of_pictures.mkdir(parents=True, exist_ok=True)
                await pictures(browser, pages, folder_of_pictures)
    bad = len(TESTS) - good
    print(f"test result: {'FAILED' if bad else 'ok'}. {good} passed; {bad} failed; 0 ignored")
    return 1 if bad else 0


def main(script, usage, make, pictures):
    """`make(program, folder)` gives the pages; `pictures(browser, pages, folder)` takes those that documents show."""
    if len(sys.argv) < 2:
        raise SystemExit(usage)
    show = pathlib.Path(sys.argv[sys.argv.index("--pictures") + 1]) if "--pictures" in sys.argv else None
    print(f"     Running tests/pages/{pathlib.Path(script).name}")
    raise SystemExit(asyncio.run(all_of(str(pathlib.Path(sys.argv[1]).resolve()), make, pictures, show)))
