"""Video sites, YouTube before all, in the words of the site, of yt-dlp and of youtube-transcript-api."""

from __future__ import annotations

from rivus.doctor.rule import DAY, HOUR, MINUTE, Example, Rule
from rivus.model.diagnosis import Action as A
from rivus.model.diagnosis import FailureClass as C

_YTDLP = "yt_dlp.utils.DownloadError"

RULES: tuple[Rule, ...] = (
    Rule(
        "no_such_name", C.BAD_INPUT, A.FAIL_ITEM, "the site does not take this name",
        Example('{"explanation": "that user doesn\'t exist", "message": "Bad Request"}', "", "reddit", 400),
        status=(400, 422), text=r"(?:doesn't|does not) exist|\binvalid\b|not found",
    ),
    Rule(
        "not_started", C.NOT_YET_AVAILABLE, A.RETRY_LATER, "it is announced, but has not begun",
        Example("[youtube] a: This live event will begin in 2 days.", _YTDLP, "yt-dlp"),
        text=r"\b(?:will )?(?:begins?|starts?|premieres?|airs?|launch\w*) (?:in|at|on|shortly|soon|after)\b"
        r"|(?:hasn't|has not|have not|haven't|not) (?:yet )?(?:started|begun|aired|premiered|been released)"
        r"|not (?:yet )?started yet|is (?:an )?upcoming|is scheduled for|waiting for (?:the )?(?:stream|live"
        r"|broadcast)|live (?:event|stream) will|premiere will|(?:stream"
        r"|broadcast) (?:is )?offline.{0,20}upcoming|live_stream_offline|: offline\.?$",
        after=HOUR,
    ),
    Rule(
        "not_yet_ready", C.NOT_YET_AVAILABLE, A.RETRY_LATER, "the site is not done with it yet",
        Example("This event has ended, and the archive will be available shortly", _YTDLP, "yt-dlp"),
        text=r"not (?:yet )?available yet|not yet (?:available|released|published|ready|processed)"
        r"|not (?:downloadable|ready) yet|will be available|available (?:soon|shortly|after)|(?:still"
        r"|currently|is) (?:being )?process(?:ed|ing)\b|processing this video|coming soon|can(?:not"
        r"|'t) be (?:downloaded|played) yet|ended but not|still live|recording is (?:being|not)"
        r"|cannot be downloaded yet|not been made available",
        after=HOUR,
    ),
    Rule(
        "channel_not_live", C.NOT_YET_AVAILABLE, A.RETRY_LATER, "nobody is broadcasting just now",
        Example("[twitch:stream] a: The channel is not currently live", "yt_dlp.utils.UserNotLive", "yt-dlp"),
        text=r"not (?:currently )?(?:live|broadcasting|streaming)\b|(?:stream|user|channel|streamer|radio"
        r"|room) is (?:offline|not live)",
        after=HOUR,
    ),
    Rule(
        "bot_check", C.ACCESS_DENIED, A.PAUSE_SOURCE, "the site takes this address for a bot, or has blocked it",
        Example("[youtube] a: Sign in to confirm you're not a bot.", _YTDLP, "yt-dlp"),
        text=r"not a (?:ro)?bot\b|are you (?:a )?(?:human|robot)|verify (?:that )?you(?:'re"
        r"| are) (?:a )?human|captcha|unusual traffic|automated (?:queries|requests|access)|cloudflare"
        r"|anti-?bot|bot (?:detection|protection|challenge|check)|just a moment|attention required"
        r"|access to this page has been denied|enable javascript and cookies|ddos|perimeterx|datadome|akamai"
        r"|imperva|security (?:check|challenge)|(?:ip|address|you|you've been|request)\b.{0,40}\b(?:block"
        r"|bann)ed|blocked by (?:network|your|the site|youtube)|blocking (?:requests from )?your"
        r"|error 403: blocked|whoa there|pardner|po[ _]?token (?:is )?required|(?:data[- ]?cent(?:er|re)"
        r"|cloud provider|vpn|proxy) (?:ip|detected|address)|suspicious activity|impersonat(?:e"
        r"|ion)\b.{0,60}(?:try|required)|request is rejected by server",
        after=6 * HOUR,
    ),
    Rule(
        "bot_check_kind", C.ACCESS_DENIED, A.PAUSE_SOURCE, "the site has blocked this address",
        Example("Could not retrieve a transcript for the video https://a/b!",
                "youtube_transcript_api._errors.IpBlocked"),
        kinds=(
            "IpBlocked", "RequestBlocked", "PoTokenRequired", "youtube_transcript_api.TooManyRequests",
            "BotDetected", "CaptchaRequired",
        ), after=6 * HOUR,
    ),
    Rule(
        "age_limit", C.ACCESS_DENIED, A.FAIL_ITEM, "only for signed-in adults",
        Example("[youtube] a: Sign in to confirm your age. This video may be inappropriate for some users.",
                _YTDLP, "yt-dlp"),
        text=r"confirm your age|age[- ](?:restrict|verif|limit|check)|inappropriate for some|content warning"
        r"|age_(?:check|verif)|(?:nsfw|adult|mature|sensitive) content|unverified account cannot|over[ _]18",
    ),
    Rule(
        "other_country", C.ACCESS_DENIED, A.FAIL_ITEM, "not shown in this country",
        Example("The uploader has not made this video available in your country", "yt_dlp.utils.GeoRestrictedError"),
        text=r"\b(?:your|this|the) (?:current )?(?:country|region|location|territory)\b|geo[- _]?(?:restrict"
        r"|block|lock)|only available in [A-Z]|available in \w+ only|outside of (?:the )?(?:us|uk|united)\b",
    ),
    Rule(
        "other_country_kind", C.ACCESS_DENIED, A.FAIL_ITEM, "not shown in this country",
        Example("nope", "yt_dlp.utils.GeoRestrictedError", "yt-dlp"),
        kinds=("GeoRestrictedError",),
    ),
    Rule(
        "drm", C.ACCESS_DENIED, A.FAIL_ITEM, "protected against copying",
        Example("ERROR: This video is DRM protected", _YTDLP, "yt-dlp"),
        text=r"\bdrm\b|widevine|encrypted media|copy[- ]?protect",
    ),
    Rule(
        "private", C.ACCESS_DENIED, A.FAIL_ITEM, "private, or behind a password",
        Example("[youtube] a: Private video. Sign in if you've been granted access to this video", _YTDLP, "yt-dlp"),
        text=r"\b(?:is|are|set to|a|this) private\b|\bprivate (?:video|playlist|channel|account|subreddit"
        r"|post|vod|profile)|granted access|password[- ]protected|protected by a password"
        r"|sender's friend request|wrong (?:video )?password|is unviewable|(?:protected|locked) (?:tweet"
        r"|account|album|video)|video is locked|is (?:currently )?restricted|quarantined|invite[- ]only|\bgated\b"
        r"|embedding (?:disabled|is not allowed)|playback on other websites",
    ),
    Rule(
        "members_only", C.ACCESS_DENIED, A.FAIL_ITEM, "only for those who pay or belong",
        Example("Join this channel to get access to members-only content like this video, and other exclusive perks."),
        text=r"members?[- ]only|channel's members|\b(?:for|to) (?:\w+ ){0,3}(?:members|subscribers"
        r"|premium users|supporters|patrons|vip accounts)\b|join this channel|premium (?:members|users"
        r"|content|videos?|account)|requires (?:a )?(?:subscription|payment|purchase|rental|membership)"
        r"|(?:paid|purchased?|rental|ticket)\b.{0,30}(?:content|video|stream|required|to (?:watch|download"
        r"|view))|pay[- ]?wall|subscribe to (?:watch|read|download|continue|view)|subscribers only"
        r"|patrons? (?:only|tier)|youtube premium|does not have (?:access|tickets)|not subscribed"
        r"|need to purchase|supporter-only",
    ),
    Rule(
        "login_wanted", C.ACCESS_DENIED, A.FAIL_ITEM, "only for those who have signed in",
        Example("This video is only available for registered users. Use --cookies-from-browser or --cookies",
                _YTDLP, "yt-dlp"),
        text=r"registered users|log(?:ged|ging)?[- ]?in (?:is )?(?:required|needed|to (?:view|watch|see"
        r"|access|your))|must be logged|(?:need|have|needs|must|please) (?:to )?(?:be )?(?:log"
        r"|sign)(?:ged)?[- ]?in|login details are needed|requires? (?:a )?log-?in|login[_ ]required"
        r"|tweet requires authentication|sign in to (?:view|watch|continue)|not authorized to view"
        r"|requires authentication to (?:view|watch)|use --cookies|only works when logged|do not have access"
        r"|you don't have (?:permission|access)",
    ),
    Rule(
        "no_captions", C.ACCESS_DENIED, A.FAIL_ITEM, "its captions are off, or not in that language",
        Example("Could not retrieve a transcript for the video https://a/b! Subtitles are disabled for this video"),
        text=r"subtitles are disabled|transcripts? (?:is|are) disabled|no transcripts? (?:were|was"
        r"|could be)? ?(?:found|available)|no (?:subtitles|captions|transcript)|there are no subtitles"
        r"|not translatable|translation language",
    ),
    Rule(
        "no_captions_kind", C.ACCESS_DENIED, A.FAIL_ITEM, "its captions are off, or not in that language",
        Example("a", "youtube_transcript_api._errors.TranscriptsDisabled"),
        kinds=(
            "TranscriptsDisabled", "NoTranscriptFound", "NoTranscriptAvailable", "NotTranslatable",
            "VideoUnplayable", "TranslationLanguageNotAvailable", "AgeRestricted",
        ),
    ),
    # What a server says while it fails is about itself.
    Rule(
        "try_again_statuses", C.TRANSIENT_NETWORK, A.RETRY_SOON, "the server could not do it just now",
        Example("503 Server Error: Service Unavailable for url: https://a/b", "requests.exceptions.HTTPError"),
        status=(408, 409, 421, 425, 499, 500, 502, 503, 504, 508, *range(520, 600)),
    ),
    Rule(
        "server_full", C.TRANSIENT_NETWORK, A.RETRY_LATER, "the server has no room, or no traffic, left",
        Example("507 Server Error: Insufficient Storage for url: https://a/b", "requests.exceptions.HTTPError"),
        status=(507, 509), after=HOUR,
    ),
    Rule(
        "down_for_now", C.TRANSIENT_NETWORK, A.RETRY_SOON, "the site says that it is down for now",
        Example("This page is temporarily unavailable."),
        text=r"temporar(?:y|ily) (?:un|out of|down|off|disabled|failure|error|problem)|(?:down|under"
        r"|undergoing|scheduled) (?:for )?(?:\w+ )?maintenance|(?:check|come) back (?:later|soon)"
        r"|technical (?:difficult|problem)",
    ),
    Rule(
        "video_of_gone_account", C.GONE_PERMANENTLY, A.FAIL_ITEM, "it went with its account",
        Example("This video is no longer available because the YouTube account associated with it "
                "has been terminated."),
        text=r"video.{0,60}because the .{0,40}account|uploader has closed|video associated with a",
    ),
    Rule(
        "channel_gone", C.GONE_PERMANENTLY, A.PAUSE_SOURCE, "the channel, the account or the playlist is gone",
        Example("This account has been terminated for a violation of YouTube's Terms of Service.", "alert ERROR",
                "youtube"),
        text=r"\b(?:channel|playlist|account|user|subreddit|community"
        r"|tab)(?:/playlist)?\b(?: \w+){0,3} (?:(?:does not|doesn't|no longer) exists?|(?:was|has been"
        r"|have been|is|been) (?:\w+ )?(?:removed|terminated|deleted|suspended|banned|closed|not found"
        r"|unavailable|no longer available|disabled|not available)|not found)|(?:channel"
        r"|playlist) is not available|violated our community guidelines|does the (?:playlist|channel) exist"
        r"|\[\w+:(?:stream|user|channel|tab|playlist)\].{0,80}(?:does not|doesn't) exist"
        r"|this subreddit was banned|(?:channel|user|account|playlist)[ _]not[ _]found|(?:channel"
        r"|playlist) (?:specified|identified).{0,60} be found|no such (?:channel|user|playlist|subreddit)",
        after=DAY,
    ),
    Rule(
        "no_such_tab", C.BAD_INPUT, A.FAIL_ITEM, "the channel has no such tab, or the list nothing in it",
        Example("[youtube:tab] UCa: This channel does not have a streams tab", _YTDLP, "yt-dlp"),
        text=r"does not have an? \w+ tab|playlist is empty|no (?:videos|entries|items) (?:in|on) (?:this"
        r"|the) (?:playlist|channel)",
    ),
    Rule(
        "bad_video_address", C.BAD_INPUT, A.FAIL_ITEM, "it is no address, or no id, of anything",
        Example("ERROR: Incomplete YouTube ID a. URL https://www.youtube.com/watch?v=a looks truncated.",
                _YTDLP, "yt-dlp"),
        text=r"incomplete youtube id|\[commonmistakes\]|doesn't make any sense|looks truncated"
        r"|unsupported url|is not a valid url|no suitable (?:extractor|infoextractor)|(?:invalid|malformed"
        r"|missing) (?:video[ _]?|youtube |playlist |channel )?(?:id|url)\b|\bvideo url was given without"
        r"|no video id|not a video\b|url (?:does not|doesn't) contain|--default-search|requested (?:resource"
        r"|url) is not a (?:file|video)|make sure the url is valid|youtube video id",
    ),
    Rule(
        "video_gone", C.GONE_PERMANENTLY, A.FAIL_ITEM, "it was removed, or never was there",
        Example("[youtube] a: Video unavailable. This video has been removed by the uploader", _YTDLP, "yt-dlp"),
        text=r"(?:video|song|track|stream|content|clip|vod|post|episode|media|article|item|page|livestream"
        r"|event|file|space|live)s?\b(?: \S+){0,2}? (?:(?:has|have) (?:been )?(?:removed|deleted|taken down"
        r"|ended|expired|been taken)|(?:was|were|is|are) (?:\w+ )?(?:removed|deleted|gone|no longer available"
        r"|unavailable|not available|unreachable|expired)|no longer (?:available|exists?)|(?:does not"
        r"|doesn't) exist|unavailable|(?:is |was )?not found|isn't available|could not be found)"
        r"|copyright (?:claim|grounds|infringement|strike|issues)|account .{0,60}(?:terminated|closed"
        r"|suspended|deleted)|closed their youtube|removed by the (?:uploader|user|author|moderator)"
        r"|terms of service|community guidelines|entity was not found|been removed for violating"
        r"|expired (?:link|content)|link (?:is|has) expired|(?:tweet|status) not found",
    ),
    Rule(
        "video_gone_kind", C.GONE_PERMANENTLY, A.FAIL_ITEM, "it was removed, or never was there",
        Example("a", "youtube_transcript_api._errors.VideoUnavailable"),
        kinds=("VideoUnavailable", "InvalidVideoId"),
    ),
    # A media URL that is refused has mostly expired: a fresh one is got by starting again.
    Rule(
        "media_refused", C.ACCESS_DENIED, A.RETRY_LATER,
        "the address of the media has expired, or is for another client",
        Example("ERROR: unable to download video data: HTTP Error 403: Forbidden", _YTDLP, "yt-dlp", 403),
        status=(403,), text=r"video data|fragment|subtitles|\bgot error|giving up after|googlevideo|media", after=HOUR,
    ),
    Rule(
        "format_missing", C.CONFIG_ERROR, A.NEEDS_HUMAN,
        "the format that is asked for does not exist, or this yt-dlp is too old",
        Example("[youtube] a: Requested format is not available. Use --list-formats", _YTDLP, "yt-dlp"),
        text=r"requested format|fixed output name|only images are available|invalid format specification"
        r"|error in output template|unsupported language code|no player clients|impersonate target"
        r"|unknown (?:extractor )?(?:argument|option)",
    ),
    Rule(
        "fragments_missing", C.TRANSIENT_NETWORK, A.RETRY_SOON, "the download broke off",
        Example("ERROR: Did not get any data blocks", _YTDLP, "yt-dlp"),
        text=r"did not get any data blocks|downloaded file is empty|content too short|more expected"
        r"|bytes read|fragment \d{1,6} not found|downloaded \d{1,15} bytes, expected"
        r"|incomplete(?: yt)?(?: initial)? data received|giving up after \d{1,3} (?:fragment )?retries",
        after=2 * MINUTE,
    ),
)
