"""Programs and code: exit codes, what a database says of its SQL, and Python's own errors, which say least."""

from __future__ import annotations

from rivus.doctor.rule import HOUR, MINUTE, Example, Rule
from rivus.model.diagnosis import Action as A
from rivus.model.diagnosis import FailureClass as C

RULES: tuple[Rule, ...] = (
    Rule(
        "exit_data", C.BAD_INPUT, A.FAIL_ITEM, "the program does not take this item (EX_DATAERR, EX_NOINPUT)",
        Example("clean ended with 65"),
        exit_code=(65, 66, 67, 68),
    ),
    Rule(
        "exit_again", C.TRANSIENT_NETWORK, A.RETRY_SOON, "the program says: not now (EX_UNAVAILABLE, EX_TEMPFAIL)",
        Example("fetch ended with 75"),
        exit_code=(69, 75), after=5 * MINUTE,
    ),
    Rule(
        "exit_system", C.RESOURCE_EXHAUSTED, A.RETRY_LATER,
        "the program met an error of the system (EX_OSERR, EX_IOERR)",
        Example("fetch ended with 74"),
        exit_code=(71, 74), after=HOUR,
    ),
    Rule(
        "exit_protocol", C.PARSER_BROKEN, A.RETRY_LATER, "the program does not understand the other side (EX_PROTOCOL)",
        Example("fetch ended with 76"),
        exit_code=(76,), after=HOUR,
    ),
    Rule(
        "exit_permission", C.AUTH, A.NEEDS_HUMAN, "the program may not do this (EX_NOPERM)",
        Example("fetch ended with 77"),
        exit_code=(77,),
    ),
    Rule(
        "exit_config", C.CONFIG_ERROR, A.NEEDS_HUMAN, "the program is called, or set up, wrongly (EX_USAGE, EX_CONFIG)",
        Example("fetch ended with 78"),
        exit_code=(64, 72, 73, 78),
    ),
    Rule(
        "exit_usage", C.CONFIG_ERROR, A.NEEDS_HUMAN, "the program does not know these arguments",
        Example("usage: fetch [-h]\nfetch: error: unrecognized arguments: -x\nended with 2"),
        text=r"unrecognized (?:arguments|option)|(?:invalid|unknown|unrecognized) option|^usage: |\busage: \S"
        r"|no such option|the following arguments are required|missing argument|invalid choice",
    ),
    Rule(
        "exit_stopped", C.RESOURCE_EXHAUSTED, A.RETRY_SOON, "the program was stopped from outside",
        Example("fetch was killed by signal 15"),
        exit_code=(-1, -2, -15, 129, 130, 143, -24, 152), after=MINUTE,
    ),
    Rule(
        "exit_crashed", C.HANDLER_BUG, A.NEEDS_HUMAN, "the program crashed",
        Example("fetch was killed by signal 11"),
        exit_code=(-4, -5, -6, -7, -8, -11, -31, 70, 132, 133, 134, 135, 136, 139, 159),
    ),
    Rule(
        "wrong_sql", C.HANDLER_BUG, A.NEEDS_HUMAN, "the SQL, or the schema, is wrong",
        Example("no such column: nope", "sqlite3.OperationalError"),
        kinds=(
            "IntegrityError", "ProgrammingError", "InterfaceError", "OperationalError", "DatabaseError", "DataError",
            "NotSupportedError", "sqlite3.*", "sqlalchemy.*",
        ),
    ),
    Rule(
        "wrong_pattern", C.HANDLER_BUG, A.NEEDS_HUMAN, "a regular expression, or a selector, is wrong",
        Example("bad escape \\d at position 34", "re.error"),
        kinds=("re.error", "PatternError", "SelectorSyntaxError", "XPathEvalError", "SelectolaxError", "XPathError"),
    ),
    Rule(
        "file_misused", C.HANDLER_BUG, A.NEEDS_HUMAN, "the code takes a file for something else",
        Example("[Errno 21] Is a directory: '/tmp'", "IsADirectoryError"),
        kinds=(
            "IsADirectoryError", "NotADirectoryError", "FileExistsError", "UnsupportedOperation",
            "ChildProcessError", "ProcessLookupError",
        ),
    ),
    Rule(
        "code_wrong", C.HANDLER_BUG, A.NEEDS_HUMAN, "the handler has a mistake, or meets data it was not made for",
        Example("list index out of range", "IndexError"),
        kinds=(
            "AttributeError", "TypeError", "LookupError", "KeyError", "IndexError", "NameError",
            "UnboundLocalError", "ArithmeticError",
            "ZeroDivisionError", "OverflowError", "AssertionError", "SyntaxError", "IndentationError",
            "RecursionError", "StopIteration",
            "NotImplementedError", "UnicodeError", "UnicodeDecodeError", "UnicodeEncodeError", "BufferError",
            "ReferenceError",
            "SystemError", "SystemExit", "ValueError", "RuntimeError", "BadOutput", "EOFError", "InvalidHeader",
            "InvalidJSONError",
            "UnrewindableBodyError", "LocalProtocolError", "StreamConsumedError", "TemplateError",
            "PicklingError", "InvalidStateError",
            "InvalidOperation", "LookupError", "UndefinedError",
        ),
    ),
    Rule(
        "code_wrong_errno", C.HANDLER_BUG, A.NEEDS_HUMAN,
        "the handler asks the system for something that makes no sense",
        Example("[Errno 22] Invalid argument", "OSError"),
        errno=(9, 10, 14, 17, 18, 20, 21, 22, 25, 29, 33, 38, 39),
    ),
    Rule(
        "code_wrong_said", C.HANDLER_BUG, A.NEEDS_HUMAN, "the handler has a mistake, or meets data it was not made for",
        Example("handle.py: 'NoneType' object has no attribute 'cursor'"),
        text=r"object has no attribute|object is not (?:subscriptable|callable|iterable)|\w{4,20}Error: "
        r"|unexpected keyword argument|positional argument|is not defined|not (?:json )?serializable"
        r"|division by zero|panicked at|panic: |goroutine \d|conversion failed|segmentation fault|core dumped"
        r"|unhandled exception|undefined is not|cannot read propert|assertion .{0,60}failed|nullpointer",
    ),
    Rule(
        "program_failed", C.HANDLER_BUG, A.NEEDS_HUMAN, "the program failed and did not say why",
        Example("Command '['clean']' returned non-zero exit status 1.", "subprocess.CalledProcessError"),
        kinds=("CalledProcessError",),
    ),
)
