"""Documents that are not what they should be: JSON, XML, feeds, pages and sites whose shape has changed."""

from __future__ import annotations

from rivus.doctor.rule import HOUR, Example, Rule
from rivus.model.diagnosis import Action as A
from rivus.model.diagnosis import FailureClass as C

RULES: tuple[Rule, ...] = (
    Rule(
        "no_json_at_all", C.PARSER_BROKEN, A.RETRY_LATER, "the answer is empty, or a page instead of JSON",
        Example("Expecting value: line 1 column 1 (char 0)", "requests.exceptions.JSONDecodeError"),
        text=r"expecting value: line 1 column 1\b|unexpected mimetype|unexpected end of json input"
        r"|unexpected token '?<|no json object could be decoded|input data was truncated|failed to parse json"
        r"|expecting value: line [1-9]\d{0,3} ",
        after=HOUR,
    ),
    Rule(
        "bad_json", C.PARSER_BROKEN, A.NEEDS_HUMAN, "what came is not JSON of the expected form",
        Example("Extra data: line 1 column 8 (char 7)", "json.decoder.JSONDecodeError"),
        kinds=(
            "JSONDecodeError", "msgspec.DecodeError", "msgspec.ValidationError", "ValidationError",
            "orjson.JSONDecodeError", "jsonlines.InvalidLineError", "ContentTypeError",
        ),
    ),
    Rule(
        "bad_json_said", C.PARSER_BROKEN, A.NEEDS_HUMAN, "what came is not JSON of the expected form",
        Example("ijson: Expecting ',' delimiter: line 2 column 5 (char 9)"),
        text=r"expecting (?:value|property name|',' delimiter|':' delimiter)|unterminated string"
        r"|extra data: line|json is malformed|invalid (?:control character|\\+escape|json)"
        r"|object missing required field|object contains unknown field|^expected `\w|no (?:valid )?json"
        r"|jsondecodeerror|gave no json|validation errors? for",
    ),
    Rule(
        "bad_xml", C.PARSER_BROKEN, A.RETRY_LATER, "the feed, or the XML, is malformed; that often heals",
        Example("mismatched tag: line 1, column 16", "xml.etree.ElementTree.ParseError", "feed"),
        kinds=(
            "ParseError", "SAXParseException", "SAXException", "ExpatError", "XMLSyntaxError", "ParserError",
            "NonXMLContentType", "feedparser.*", "CharacterEncodingOverride", "CharacterEncodingUnknown",
            "UndeclaredNamespace",
            "FeedParserError", "ParserRejectedMarkup",
        ),
        after=6 * HOUR,
    ),
    Rule(
        "bad_xml_said", C.PARSER_BROKEN, A.RETRY_LATER, "the feed, or the XML, is malformed; that often heals",
        Example("sax parsing error: <unknown>:22:4: mismatched tag"),
        text=r"not well-formed|mismatched tag|undefined entity|junk after document|unclosed token"
        r"|unbound prefix|no element found|syntax error: line \d|duplicate attribute|xml (?:declaration"
        r"|parsing)|sax pars|not an xml media type|document is empty|start tag expected"
        r"|opening and ending tag|extra content at the end|entityref|invalid (?:feed|rss|atom|xml)"
        r"|no root element|declared as .{1,40}but parsed as|reference to invalid character|(?:feed|xml"
        r"|rss) .{0,40}(?:malformed|bozo)|premature end of data|not a (?:valid )?(?:feed|rss)|no (?:rss|atom|feed) ",
        after=6 * HOUR,
    ),
    Rule(
        "page_changed", C.PARSER_BROKEN, A.NEEDS_HUMAN, "the page no longer has what the selector looks for",
        Example("'NoneType' object has no attribute 'find_all'", "AttributeError"),
        text=r"'NoneType' object has no attribute '(?:find(?:_\w{1,20}|all|next|Next\w{1,20})?"
        r"|select(?:_one)?|css(?:_first|_matches)?|text(?:_content)?|string|get_text|contents|children|attrs"
        r"|attributes|parent|next_sibling|xpath|findall|iter|tag|html|groups?|groupdict|span|inner_text"
        r"|stripped_strings|descendants|tbody|prettify)'|selector (?:not found|matched nothing|finds nothing)"
        r"|no (?:element|node|match)\w* (?:found|for|match)|expected \S{1,60}: it is missing or empty",
    ),
    Rule(
        "output_too_short", C.PARSER_BROKEN, A.NEEDS_HUMAN, "the result has not what the stage expects",
        Example("expected text of length 200 or more: it has 3", "rivus.work.attempt.BadOutput"),
        kinds=("BadOutput",), text=r"^expected ",
    ),
    Rule(
        "output_forbidden", C.ACCESS_DENIED, A.RETRY_LATER, "the result is a page that asks to sign in, or to wait",
        Example("holds the forbidden phrase 'log in to continue'", "rivus.work.attempt.BadOutput"),
        kinds=("BadOutput",), text="forbidden phrase", after=6 * HOUR,
    ),
    Rule(
        "not_captions", C.PARSER_BROKEN, A.RETRY_LATER, "the file holds no captions",
        Example("no cues", "rivus.handlers.cues.NotCaptions"),
        kinds=("NotCaptions", "YouTubeDataUnparsable"), after=6 * HOUR,
    ),
    Rule(
        "not_a_picture", C.BAD_INPUT, A.FAIL_ITEM, "the file is not of a kind that can be read",
        Example("cannot identify image file 'a'", "PIL.UnidentifiedImageError"),
        kinds=(
            "UnidentifiedImageError", "binascii.Error", "UnpicklingError", "BadZipFile", "BadGzipFile",
            "tarfile.ReadError", "PdfReadError",
            "PDFSyntaxError", "rivus.BadInput",
        ),
    ),
    Rule(
        "ytdlp_too_old", C.PARSER_BROKEN, A.NEEDS_HUMAN, "the site has changed: a newer yt-dlp may know it",
        Example("[youtube] a: Unable to extract uploader id; please report this issue on "
                "https://github.com/yt-dlp/yt-dlp/issues",
                "yt_dlp.utils.DownloadError"),
        text=r"unable to (?:extract|recogni[sz]e|find|parse|decode|get|identify|solve|process)"
        r"|failed to (?:extract|parse|decrypt|resolve|solve)|cannot (?:parse|identify|decrypt|find)"
        r"|could not (?:find|extract|parse|decrypt)|(?:nsig|signature|challenge|player)\b.{0,40}(?:failed"
        r"|extraction|unable)|unexpected (?:response|api response|webpage|error|end|type|format)"
        r"|please report this issue|confirm (?:that )?you are (?:on|using) the latest"
        r"|make sure you are using the latest|no (?:video|media|audio|streams?)\b.{0,30}found|player response"
        r"|regex|unknown (?:player|content|status|type)|needs to be reloaded|latest version of"
        r"|formats (?:have been skipped|may be missing)",
    ),
    Rule(
        "ytdlp_too_old_kind", C.PARSER_BROKEN, A.NEEDS_HUMAN, "the site has changed: a newer yt-dlp may know it",
        Example("nope", "yt_dlp.utils.RegexNotFoundError", "yt-dlp"),
        kinds=("RegexNotFoundError", "ExtractorError"),
    ),
    Rule(
        "not_a_picture_said", C.BAD_INPUT, A.FAIL_ITEM, "the file is not of a kind that can be read",
        Example("a.mp4: Invalid data found when processing input\nended with 1"),
        text=r"invalid data found when processing input|moov atom not found|not a (?:gzip|zip|pdf|tar)"
        r"|unsupported (?:file|media|image)|cannot identify image|file is (?:empty|corrupt\w*|truncated)"
        r"|does not contain any stream|unknown file type",
    ),
)
