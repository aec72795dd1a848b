"""The doctor: from an exception to a class, an action and a reason. Pure: no files, no clock, no network.

`failure_of` tells what is known of an exception, `fingerprint` which failures are the same one, `classify` what
follows. Classes of libraries are known by their names, so that nothing heavy is imported to recognise them.
"""
