"""Services with an API: models, Finnhub, Reddit, GitHub, SEC, Google, and what all say of limits and keys."""

from __future__ import annotations

from rivus.doctor.rule import DAY, HOUR, MINUTE, Example, Rule
from rivus.model.diagnosis import Action as A
from rivus.model.diagnosis import FailureClass as C

_MODELS = ("openai.*", "anthropic.*", "litellm.*", "groq.*", "mistralai.*", "cohere.*", "google.*", "ollama.*")

_MODEL_HANDLERS = ("llm", "openai", "anthropic", "gemini", "ollama")
_QUOTA = (
    r"insufficient_quota|exceeded your (?:current |monthly |daily )?quota|quota ?exceeded|(?:daily"
    r"|day) ?limit|(?:dailyLimit|quota)Exceeded|quota (?:has been |is |was )?(?:exhausted|reached|used)"
    r"|exceeded .{0,30}\bquota\b|\b(?:hourly|daily|weekly|monthly|\d{1,3}[- ]?hour) (?:\w+ ){0,3}(?:limit"
    r"|quota|allowance)\b|(?:requests|tokens|calls|limit|quota)\w{0,20} ?per[ _]?(?:day|month)\b|\b[rt]pd\b"
    r"|perday|out of .{0,20}quota|\bquota</a>|usage limit|session limit reached|(?:limit|quota) for (?:today"
    r"|the day|this month)|too many requests today"
)

RULES: tuple[Rule, ...] = (
    # Without a key Finnhub answers as if a limit were reached.
    Rule(
        "finnhub_no_key", C.AUTH, A.NEEDS_HUMAN, "no API key was sent",
        Example("API limit reached. Please sign up for a free account to continue using the API.", "", "finnhub", 429),
        text=r"sign up for a free account|please use an api key|(?:missing|no) api key",
    ),
    Rule(
        "model_quota_per_day", C.QUOTA_EXHAUSTED, A.PAUSE_JOB, "what the model may be asked in a day is used up",
        Example("429 You exceeded your current quota … quotaId: GenerateRequestsPerDayPerProject",
                "google.api_core.exceptions.ResourceExhausted"),
        kinds=_MODELS, after=6 * HOUR,
        text=r"(?:quota|limit|exceed).{0,200}(?:per[ _]?day|daily|\b[rt]pd\b|24 hours)|(?:daily"
        r"|day).{0,40}(?:quota|limit)",
    ),
    Rule(
        "money", C.QUOTA_EXHAUSTED, A.NEEDS_HUMAN, "the account must be paid",
        Example("Your credit balance is too low to access the Anthropic API.", "anthropic.BadRequestError", "llm"),
        text=r"credit balance|insufficient (?:credits?|funds|balance)|out of credits|billing (?:hard )?limit"
        r"|billing_not_active|billing.{0,40}(?:not active|inactive|disabled|required|not enabled)"
        r"|account is not active|payment required|insufficient_quota|plan and billing|extra usage is required"
        r"|purchase more|add (?:more )?(?:credits|funds)|enable billing|trial (?:has )?(?:ended|expired)"
        r"|(?:spending|spend|budget|usage) (?:limit|cap).{0,40}(?:month|dollar|\$|workspace|organization)"
        r"|upgrade your (?:plan|account|subscription)",
    ),
    Rule(
        "limit_per_minute", C.RATE_LIMITED, A.RETRY_LATER, "too many requests, or tokens, in a minute",
        Example("429 Quota exceeded for metric: generate_content_requests_per_minute", "ResourceExhausted", "llm"),
        text=r"quota.{0,200}per[ _]?(?:minute|min|second)|per[ _]?minute.{0,100}quota|quotaid: \w{0,60}perminute",
        after=5 * MINUTE,
    ),
    Rule(
        "model_quota", C.QUOTA_EXHAUSTED, A.PAUSE_JOB, "what may be asked of the model is used up",
        Example("5-hour usage limit reached, resets at 2030-01-01T15:00:00Z", "HTTPError", "llm"),
        handler=_MODEL_HANDLERS, text=_QUOTA, after=6 * HOUR,
    ),
    Rule(
        "model_quota_kind", C.QUOTA_EXHAUSTED, A.PAUSE_JOB, "what may be asked of the model is used up",
        Example("You have exceeded your monthly quota", "openai.RateLimitError"),
        kinds=_MODELS, text=_QUOTA, after=6 * HOUR,
    ),
    Rule(
        "source_quota", C.QUOTA_EXHAUSTED, A.PAUSE_SOURCE,
        "what may be asked of the source in a day, or a month, is used up",
        Example("Daily Limit Exceeded. The quota will be reset at midnight Pacific Time", "", "youtube", 403),
        text=_QUOTA, after=6 * HOUR,
    ),
    Rule(
        "overloaded", C.TRANSIENT_NETWORK, A.RETRY_SOON, "the service has too much to do",
        Example("Overloaded", "anthropic.APIStatusError", "llm", 529),
        text=r"\boverloaded(?:_error)?\b|server(?: is|s are) (?:busy|overloaded)|at capacity|over capacity"
        r"|high demand|capacity exceeded|engine is currently|model is (?:currently )?(?:loading|unavailable)"
        r"|try again later or contact",
        after=2 * MINUTE,
    ),
    Rule(
        "agent_not_declared", C.ACCESS_DENIED, A.PAUSE_SOURCE, "the site wants a User-Agent with an address (SEC does)",
        Example("Your Request Originates from an Undeclared Automated Tool", "", "sec", 403),
        text=r"undeclared automated tool|declare your (?:user agent|traffic)|automated tools? outside"
        r"|request forbidden by administrative rules|provide a (?:valid |descriptive )?user[- ]agent",
        after=DAY,
    ),
    Rule(
        "source_rate_limit", C.RATE_LIMITED, A.PAUSE_SOURCE, "the site counts requests, and there were too many",
        Example("You have exceeded a secondary rate limit. Please wait a few minutes before you try again.", "",
                "github", 403),
        text=r"secondary rate limit|abuse (?:detection|rate limit)|abuse-rate-limits|rate threshold exceeded"
        r"|sec's traffic limit|api rate limit exceeded|remaining limit: ?0|too many calls|api limit reached"
        r"|(?:doing that|trying that) (?:too much|a lot)|take a break",
        after=15 * MINUTE,
    ),
    Rule(
        "request_too_large", C.BAD_INPUT, A.FAIL_ITEM, "the item alone is more than a minute's limit",
        Example("Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000.",
                "openai.RateLimitError"),
        text=r"request too large|tokens must be reduced",
    ),
    Rule(
        "model_rate_limit", C.RATE_LIMITED, A.RETRY_LATER, "the model's service counts, and there was too much",
        Example("Rate limit reached for gpt-4o in organization org-a on tokens per min (TPM)", "RateLimitError",
                "llm", 429),
        kinds=(*_MODELS, "RateLimitError", "ResourceExhausted", "APIStatusError", "ThrottlingException", "ApiError"),
        text=r"rate[- _]?limit|too many requests|\b429\b|resource[_ ](?:has been )?exhausted|throttl",
        after=5 * MINUTE,
    ),
    Rule(
        "model_rate_limit_kind", C.RATE_LIMITED, A.RETRY_LATER, "the model's service counts, and there was too much",
        Example("not now", "openai.RateLimitError"),
        kinds=("RateLimitError", "ResourceExhausted", "ThrottlingException"),
        after=5 * MINUTE,
    ),
    Rule(
        "model_rate_limit_said", C.RATE_LIMITED, A.RETRY_LATER, "the model's service counts, and there was too much",
        Example("429: rate limit reached for tokens", "", "llm"),
        text=r"rate[- _]?limit|too many requests|resource[_ ](?:has been )?exhausted|\b429\b",
        handler=_MODEL_HANDLERS, after=5 * MINUTE,
    ),
    Rule(
        "youtube_session_limit", C.RATE_LIMITED, A.PAUSE_SOURCE, "YouTube lets this session rest for an hour",
        Example("[youtube] a: Video unavailable. This content isn't available, try again later. The current session has"
                " been rate-limited by YouTube for up to an hour.", "yt_dlp.utils.DownloadError", "yt-dlp"),
        text=r"content isn't available,? (?:please )?try again later|session has been rate-?limited", after=HOUR,
    ),
    Rule(
        "too_many_requests", C.RATE_LIMITED, A.PAUSE_SOURCE, "the site counts requests, and there were too many",
        Example("ERROR: unable to download video data: HTTP Error 429: Too Many Requests"),
        status=(429,), after=HOUR,
    ),
    Rule(
        "too_many_requests_kind", C.RATE_LIMITED, A.PAUSE_SOURCE, "the site counts requests, and there were too many",
        Example("not now", "prawcore.exceptions.TooManyRequests", "reddit"),
        kinds=(
            "prawcore.TooManyRequests", "RateLimitExceededException", "RateLimitExceeded", "Throttled",
            "RateLimited", "RequestLimitExceeded",
        ),
        after=HOUR,
    ),
    Rule(
        "too_many_requests_said", C.RATE_LIMITED, A.PAUSE_SOURCE, "the site counts requests, and there were too many",
        Example("Whoa there! Slow down: you are rate limited"),
        text=r"too many requests|too many 429|rate[- _]?limit(?:ed|s|ing)?\b|\bratelimit(?:ed)?\b"
        r"|request limit (?:reached|exceeded)|slow down|requests? (?:are )?(?:too fast|too frequent"
        r"|throttled)|throttl(?:ed|ing)|limit exceeded|please wait (?:a few|\d{1,5}) (?:seconds|minutes)",
        after=HOUR,
    ),
    Rule(
        "too_long_for_model", C.BAD_INPUT, A.FAIL_ITEM, "the item is longer than the model, or the service, takes",
        Example("prompt is too long: 210000 tokens > 200000 maximum", "anthropic.BadRequestError", "llm", 400),
        text=r"(?:prompt|input|message|text|context|request|content|payload|body|file"
        r"|entity) (?:\w+ ){0,4}(?:too (?:long|large)|exceeds?)\b|context[_ ](?:length|window)"
        r"|maximum context|request_too_large|max(?:imum)? (?:number of )?tokens|exceeds? (?:the )?(?:maximum"
        r"|max|limit of).{0,30}(?:tokens|characters|bytes)|string_above_max_length|reduce (?:the )?(?:length"
        r"|your prompt)|length limit was reached|string or blob too big",
    ),
    Rule(
        "refused_by_filter", C.BAD_INPUT, A.FAIL_ITEM, "the model's filter refuses this content",
        Example("The response was filtered due to the prompt triggering content management policy",
                "openai.BadRequestError"),
        text=r"content[_ ](?:filter|policy|management)|safety (?:system|settings|reasons|filter)"
        r"|violat\w+ .{0,30}usage polic|blocked by .{0,30}safety|flagged as|prompt was blocked"
        r"|finish_reason.{0,10}safety|recitation",
    ),
    Rule(
        "model_missing", C.CONFIG_ERROR, A.NEEDS_HUMAN, "there is no such model, or not for this account",
        Example("The model `gpt-9` does not exist or you do not have access to it.", "openai.NotFoundError",
                "llm", 404),
        text=r"model_not_found|\bmodels?\b.{0,80}(?:does not exist|not found|not supported|decommissioned"
        r"|deprecated|not available|is invalid|unknown)|(?:invalid|unknown|no such|unsupported) model\b"
        r"|deployment .{0,40}not exist|not_found_error.{0,60}model|not a valid model"
        r"|pull(?:ing)? (?:the )?(?:model|it) first",
    ),
    Rule(
        "model_country", C.ACCESS_DENIED, A.NEEDS_HUMAN, "the service does not serve this country",
        Example("Country, region, or territory not supported", "openai.PermissionDeniedError", "llm", 403),
        text=r"unsupported_country|country, region, or territory not|user location is not supported",
    ),
    Rule(
        "model_not_found", C.CONFIG_ERROR, A.NEEDS_HUMAN, "there is no such model, or no such address of the service",
        Example("Error code: 404", "openai.NotFoundError", "llm", 404),
        kinds=_MODELS, status=(404,),
    ),
    Rule(
        "key_refused", C.AUTH, A.NEEDS_HUMAN, "the credential is wrong, or has ended",
        Example("Incorrect API key provided: sk-a. You can find your API key at …", "openai.AuthenticationError",
                "llm", 401),
        text=r"(?:incorrect|invalid|wrong|bad|expired|revoked|unknown|disabled|deactivated"
        r"|leaked)[ _](?:\w+[ _]){0,2}(?:api[ _-]?keys?|x-api-key|access[ _]tokens?|bearer token"
        r"|auth(?:entication)? token|credentials?|client[ _](?:id|secret)|authorization|login|username"
        r"|password|session|apikey|grant)|api[ _-]?key (?:\w+ ){0,4}(?:not valid|invalid|expired|revoked"
        r"|disabled|rejected|incorrect|blocked)|api_key_invalid|(?:access |refresh |auth\w* |oauth |bearer "
        r"|session )?tokens? (?:has |have |is |are |was |were )?(?:been )?(?:already )?(?:expired|revoked"
        r"|invalid|not valid|invalidated)|(?:cookies?|session|login)\b.{0,40}(?:no longer valid|expired"
        r"|invalid\b)|invalid_grant|authentication_error|permission_error|insufficient.{0,20}(?:scope"
        r"|permission)|not authenticated|account authentication|authentication (?:is )?(?:failed|error"
        r"|credentials)|unauthenticated|login failed|unable to log ?in|account info|unauthorized(?:_client"
        r"|error)?\b(?!.{0,20}(?:to view|region))|caller does not have permission|insufficient ?scope"
        r"|must be a member of an organization|resource not accessible by",
    ),
    Rule(
        "model_permission", C.AUTH, A.NEEDS_HUMAN, "the credential may not do this",
        Example("Your API key does not have permission to use the specified resource.",
                "anthropic.PermissionDeniedError"),
        kinds=(
            "AuthenticationError", "PermissionDeniedError", "PermissionDenied", "Unauthenticated",
            "BadCredentialsException", "OAuthException", "InvalidToken", "LoginRequired", "InsufficientScope",
            "RefreshError",
        ),
    ),
    Rule(
        "plan_too_small", C.ACCESS_DENIED, A.NEEDS_HUMAN, "the plan does not include this",
        Example("You don't have access to this resource.", "finnhub.exceptions.FinnhubAPIException", "finnhub", 403),
        text=r"don't have access to this resource|(?:not|isn't) (?:included|available) (?:in|with|on|for"
        r"|under) your (?:current )?(?:plan|subscription|tier)|premium (?:endpoint|plan"
        r"|subscription required)|requires? a (?:paid|premium|higher) (?:plan|tier|subscription)|your (?:plan"
        r"|subscription) does not|subscription plan",
    ),
    Rule(
        "model_request", C.CONFIG_ERROR, A.NEEDS_HUMAN, "the model does not know a parameter of the request",
        Example("Unsupported parameter: 'max_tokens' is not supported with this model.", "openai.BadRequestError",
                "llm", 400),
        kinds=_MODELS,
        text=r"unsupported (?:parameter|value)|(?:unknown|unrecognized) (?:request )?(?:parameter|argument"
        r"|field|name)|invalid schema|extra inputs|invalid (?:type|value|parameter)|does not support"
        r"|is not supported|at least one|must be (?:one of|less|greater|between)",
    ),
)
