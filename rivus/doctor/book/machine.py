"""The machine and the installation: disk, memory, descriptors, permissions, what is missing."""

from __future__ import annotations

from rivus.doctor.rule import HOUR, MINUTE, Example, Rule
from rivus.model.diagnosis import Action as A
from rivus.model.diagnosis import FailureClass as C

RULES: tuple[Rule, ...] = (
    Rule(
        "disk_full", C.RESOURCE_EXHAUSTED, A.PAUSE_JOB, "the disk, or its quota, is full",
        Example("[Errno 28] No space left on device", "OSError"),
        errno=(28, 122), after=15 * MINUTE,
    ),
    Rule(
        "disk_full_said", C.RESOURCE_EXHAUSTED, A.PAUSE_JOB, "the disk, or its quota, is full",
        Example("database or disk is full", "sqlite3.OperationalError"),
        text=r"no space left on device|disk quota exceeded|disk is full|not enough (?:free )?(?:disk )?space"
        r"|insufficient disk space|there is not enough space on the disk|out of disk space",
        after=15 * MINUTE,
    ),
    Rule(
        "too_many_files", C.RESOURCE_EXHAUSTED, A.PAUSE_JOB, "too many files or sockets are open",
        Example("[Errno 24] Too many open files: 'a'", "OSError"),
        errno=(23, 24), after=15 * MINUTE,
    ),
    Rule(
        "too_many_files_said", C.RESOURCE_EXHAUSTED, A.PAUSE_JOB, "too many files or sockets are open",
        Example("RuntimeError: Too many open files"),
        text=r"too many open files|file descriptors? (?:limit|exhausted)|inotify (?:watch|instance)\w* limit",
        after=15 * MINUTE,
    ),
    Rule(
        "file_limit", C.RESOURCE_EXHAUSTED, A.PAUSE_JOB, "a file has reached the largest size that is allowed",
        Example("[Errno 27] File too large", "OSError"),
        errno=(27,), after=HOUR,
    ),
    Rule(
        "out_of_memory", C.RESOURCE_EXHAUSTED, A.PAUSE_JOB, "there is no memory left",
        Example("", "MemoryError"),
        kinds=("MemoryError", "OutOfMemoryError"), after=15 * MINUTE,
    ),
    Rule(
        "out_of_memory_errno", C.RESOURCE_EXHAUSTED, A.PAUSE_JOB, "there is no memory left",
        Example("[Errno 12] Cannot allocate memory", "OSError"),
        errno=(12,), after=15 * MINUTE,
    ),
    Rule(
        "out_of_memory_said", C.RESOURCE_EXHAUSTED, A.PAUSE_JOB, "there is no memory left",
        Example("CUDA out of memory. Tried to allocate 2 GiB", "RuntimeError"),
        text=r"\bout of memory\b|cannot allocate memory|unable to allocate .{1,60}(?:array|bytes|[kmgt]i?b)"
        r"|oom[- ]?kill|memory limit exceeded|std::bad_alloc|java heap space|not enough memory"
        r"|requires more system memory|failed to allocate memory|CUBLAS_STATUS_ALLOC_FAILED",
        after=15 * MINUTE,
    ),
    Rule(
        "no_more_threads", C.RESOURCE_EXHAUSTED, A.PAUSE_JOB, "the limit of processes or threads is reached",
        Example("can't start new thread", "RuntimeError"),
        text=r"can't start new thread|fork: (?:retry: )?resource temporarily unavailable|process limit reached",
        after=15 * MINUTE,
    ),
    Rule(
        "killed", C.RESOURCE_EXHAUSTED, A.RETRY_LATER, "the program was killed, mostly for want of memory",
        Example("summarise was killed by signal 9"),
        exit_code=(-9, 137), after=HOUR,
    ),
    Rule(
        "killed_said", C.RESOURCE_EXHAUSTED, A.RETRY_LATER, "the program was killed, mostly for want of memory",
        Example("llama runner process has terminated: signal: killed"),
        text=r"signal: killed|\bSIGKILL\b", after=HOUR,
    ),
    Rule(
        "worker_died", C.RESOURCE_EXHAUSTED, A.RETRY_LATER, "a worker process was killed, mostly for want of memory",
        Example("A process in the process pool was terminated abruptly",
                "concurrent.futures.process.BrokenProcessPool"),
        kinds=("BrokenProcessPool", "WorkerLostError", "TerminatedWorkerError"), after=HOUR,
    ),
    Rule(
        "io_error", C.RESOURCE_EXHAUSTED, A.PAUSE_JOB, "the disk cannot be read or written",
        Example("[Errno 5] Input/output error", "OSError"),
        errno=(5,), after=HOUR,
    ),
    Rule(
        "io_error_said", C.RESOURCE_EXHAUSTED, A.PAUSE_JOB, "the disk cannot be read or written",
        Example("disk I/O error", "sqlite3.OperationalError"),
        text=r"disk i/o error|\binput/output error\b|stale (?:nfs )?file handle", after=HOUR,
    ),
    Rule(
        "name_too_long", C.BAD_INPUT, A.FAIL_ITEM, "the name of a file is too long",
        Example("[Errno 36] File name too long: 'a'", "OSError"),
        errno=(36, 7),
    ),
    Rule(
        "read_only", C.CONFIG_ERROR, A.NEEDS_HUMAN, "the file system, or the database, is read-only",
        Example("[Errno 30] Read-only file system: '/data/a'", "OSError"),
        errno=(30,),
    ),
    Rule(
        "read_only_said", C.CONFIG_ERROR, A.NEEDS_HUMAN, "the file system, or the database, is read-only",
        Example("attempt to write a readonly database", "sqlite3.OperationalError"),
        text=r"read-?only (?:file ?system|database)",
    ),
    Rule(
        "import_failed", C.CONFIG_ERROR, A.NEEDS_HUMAN, "a package is missing, or not the version that is needed",
        Example("No module named 'feedparser'", "ModuleNotFoundError"),
        kinds=("ImportError", "ModuleNotFoundError", "PackageNotFoundError", "DistributionNotFound"),
    ),
    Rule(
        "import_failed_said", C.CONFIG_ERROR, A.NEEDS_HUMAN, "a package or a library is missing",
        Example("python failed\n/usr/bin/python3: No module named ruff", "CommandFailed"),
        text=r"\bno module named\b|cannot import name|error while loading shared libraries"
        r"|cannot open shared object|cannot find module '|pip install \S|is not installed",
    ),
    Rule(
        "secret_not_set", C.CONFIG_ERROR, A.NEEDS_HUMAN, "an environment variable or a setting is missing",
        Example("'FINNHUB_API_KEY'", "KeyError"),
        kinds=("KeyError",), text=r"^(?:KeyError: )?['\"][A-Z][A-Z0-9]*(?-i:_[A-Z0-9]+)+['\"]$",
    ),
    Rule(
        "setting_missing", C.CONFIG_ERROR, A.NEEDS_HUMAN, "a credential or a setting is not given",
        Example("The api_key client option must be set either by passing api_key or by OPENAI_API_KEY"),
        text=r"required (?:configuration|config|setting|option).{0,60}missing"
        r"|environment variable.{0,60}(?:not set|missing|not found|required|undefined|must be set)|(?:set"
        r"|setting|missing|define|expected|requires?) (?:the |an? )?[\w` ']{0,40}environment variable"
        r"|(?:api[_ -]?key|credentials?|token|secret)\b.{0,60}\b(?:must be set|(?:is|are|was|were) not (?:set"
        r"|found|configured|provided)|to be set|(?:is|are) missing|is required)|\b(?:no|missing"
        r"|did not find) (?:\w+ )?(?:api[_ -]?key|credentials?)\b|could not (?:automatically determine"
        r"|resolve|load|find).{0,40}(?:credentials|authentication method)|default credentials were not found"
        r"|unable to locate credentials|please set .{0,40}\b(?:key|token)\b",
    ),
    Rule(
        "program_missing", C.CONFIG_ERROR, A.NEEDS_HUMAN, "a program is missing, or must not be run",
        Example("bash: line 1: ffmpeg: command not found\nended with 127"),
        exit_code=(126, 127),
    ),
    Rule(
        "program_missing_said", C.CONFIG_ERROR, A.NEEDS_HUMAN, "a program that is needed is missing or too old",
        Example("ERROR: Postprocessing: ffprobe and ffmpeg not found. Please install", "yt_dlp.utils.DownloadError"),
        text=r"ff(?:mpeg|probe)\b.{0,60}(?:not found|not installed|could not be found|unavailable"
        r"|is required)|(?:phantomjs|pycryptodomex?|mutagen|atomicparsley|aria2c|mpv|curl|rtmpdump|deno|node"
        r"|websockets)\b.{0,20} (?:not found|could not be (?:found|run)|is required|is not available)"
        r"|(?<!\w)command not found|executable (?:file )?(?:not found|doesn't exist)"
        r"|no (?:supported )?javascript runtime|javascript runtime|not found\. please install"
        r"|selecting an encoder|encoder not found|-location \S{1,200} does not exist"
        r"|continuing without ffmpeg|unknown encoder|cannot be started|in your path\b|exec format error"
        r"|chromedriver|browser executable|playwright install",
    ),
    Rule(
        "permission", C.CONFIG_ERROR, A.NEEDS_HUMAN, "the process may not read or write a file",
        Example("[Errno 13] Permission denied: '/etc/shadow'", "PermissionError"),
        errno=(1, 13),
    ),
    Rule(
        "permission_said", C.CONFIG_ERROR, A.NEEDS_HUMAN, "the process may not read or write a file",
        Example("mkdir: cannot create directory '/data': Permission denied"),
        text=r": permission denied\b|operation not permitted|unable to (?:open for writing|create directory"
        r"|write data)(?!.{0,20}errno)|\bEACCES\b",
    ),
    Rule(
        "cookies_database", C.CONFIG_ERROR, A.NEEDS_HUMAN, "the browser's cookies cannot be read",
        Example("ERROR: could not find chrome cookies database in \"~/.config/google-chrome\""),
        text=r"cookies? (?:database|file).{0,60}|failed to (?:decrypt|load) (?:with dpapi|cookies)"
        r"|does not look like a netscape",
    ),
    Rule(
        "no_gpu", C.CONFIG_ERROR, A.NEEDS_HUMAN, "the graphics card, or its driver, cannot be used",
        Example("Found no NVIDIA driver on your system", "RuntimeError"),
        text=r"no nvidia driver|no cuda|cuda (?:error: (?:no kernel|invalid device)|driver)"
        r"|not compiled with cuda|libcu(?:dnn|blas)",
    ),
    Rule(
        "proxy", C.CONFIG_ERROR, A.NEEDS_HUMAN, "the proxy cannot be reached, or refuses",
        Example("HTTPSConnectionPool(host='a', port=443): … (Caused by ProxyError('Unable to connect to proxy', …))",
                "requests.exceptions.ProxyError"),
        kinds=("ProxyError", "InvalidProxyURL", "ProxySchemeUnknown", "ProxyConnectionError"),
    ),
    Rule(
        "proxy_said", C.CONFIG_ERROR, A.NEEDS_HUMAN, "the proxy cannot be reached, or refuses",
        Example("<urlopen error Tunnel connection failed: 407 Proxy Authentication Required>"),
        text=r"\bProxyError\b|unable to connect to proxy|tunnel connection failed"
        r"|proxy authentication required|proxy (?:url|server) .{0,40}(?:invalid|refus)|socks(?:5"
        r"|4)?(?:h)? .{0,20}(?:error|failed)|missing dependencies for socks",
    ),
    Rule(
        "certificate", C.CONFIG_ERROR, A.NEEDS_HUMAN, "the certificate is not valid, or its root is not known here",
        Example("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate"),
        text=r"certificate[_ ]verify[_ ]failed|certificate (?:has|is) (?:expired|not yet valid)"
        r"|self[- ]signed certificate|hostname .{1,200} doesn't match|hostname mismatch"
        r"|tls ca certificate bundle|unable to get local issuer|certificate is not valid for|unknown ca\b"
        r"|TLS certificate file|key file.{0,40}invalid path",
    ),
    Rule(
        "tls_settings", C.CONFIG_ERROR, A.NEEDS_HUMAN, "the two sides have no version or cipher of TLS in common",
        Example("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1000)"),
        text=r"wrong[_ ]version[_ ]number|unsupported[_ ]protocol|handshake[_ ]failure"
        r"|dh[_ ]key[_ ]too[_ ]small|unsafe[_ ]legacy[_ ]renegotiation|alert[_ ]protocol[_ ]version"
        r"|no[_ ](?:shared[_ ]cipher|ciphers[_ ]available)|unrecognized[_ ]name|sslv3[_ ]alert",
    ),
    Rule(
        "port_in_use", C.CONFIG_ERROR, A.NEEDS_HUMAN, "another program has the port",
        Example("[Errno 98] Address already in use", "OSError"),
        errno=(98, 48),
    ),
    Rule(
        "not_public", C.BAD_INPUT, A.FAIL_ITEM, "the address is not a public one",
        Example("10.0.0.1 is a private address", "rivus.net.guard.PrivateAddress"),
        kinds=("PrivateAddress",),
    ),
    Rule(
        "too_large", C.BAD_INPUT, A.FAIL_ITEM, "the answer is larger than what is read",
        Example("the answer is larger than 20,971,520 bytes", "rivus.net.transport.TooLarge"),
        kinds=("TooLarge", "AnswerTooLarge", "TooLong", "rivus.TooComplex"),
    ),
    Rule(
        "bad_settings", C.CONFIG_ERROR, A.NEEDS_HUMAN, "a setting of the installation is wrong",
        Example("jobs.d/a.yaml:3:1: unknown field", "rivus.errors.BadConfig"),
        kinds=(
            "BadConfig", "ImproperlyConfigured", "ZoneInfoNotFoundError", "UnknownTimeZoneError", "TOMLDecodeError",
            "yaml.*", "configparser.*",
        ),
    ),
    Rule(
        "busy", C.RESOURCE_EXHAUSTED, A.RETRY_SOON, "something on this machine is in use just now",
        Example("[Errno 11] Resource temporarily unavailable", "BlockingIOError"),
        errno=(11, 16, 26, 35, 37, 116), after=MINUTE,
    ),
    Rule(
        "database_locked", C.RESOURCE_EXHAUSTED, A.RETRY_SOON, "another process writes to the database",
        Example("database is locked", "sqlite3.OperationalError"),
        text=r"database (?:table |schema )?is locked|deadlock (?:detected|found)|lock wait timeout"
        r"|could not obtain lock",
        after=MINUTE,
    ),
    Rule(
        "lock_timeout", C.RESOURCE_EXHAUSTED, A.RETRY_SOON, "a lock was held for too long",
        Example("The file lock 'a.lock' could not be acquired.", "filelock._error.Timeout"),
        kinds=("filelock.Timeout",), after=MINUTE,
    ),
    Rule(
        "database_broken", C.CONFIG_ERROR, A.NEEDS_HUMAN, "the database file is damaged, or cannot be opened",
        Example("unable to open database file", "sqlite3.OperationalError"),
        text=r"unable to open database|disk image is malformed|file is not a database|malformed database schema",
    ),
    Rule(
        "file_missing", C.CONFIG_ERROR, A.NEEDS_HUMAN, "a file, or a program, is not where it should be",
        Example("[Errno 2] No such file or directory: 'ffmpeg'", "FileNotFoundError"),
        errno=(2, 6, 8, 19, 40),
    ),
    Rule(
        "file_missing_said", C.CONFIG_ERROR, A.NEEDS_HUMAN, "a file, or a program, is not where it should be",
        Example("cat: /etc/nope: No such file or directory"),
        text=r"no such file or directory|\benoent\b|(?:system|program) cannot find",
    ),
)
