"""What a data set is, whose it is and what may be done with it. Imports the standard library.

Every data set's module says so once, and the card of each run repeats it:

    ABOUT = About(title="…", licence="MIT", citation="…", redistribution="yes, with it", rows=9)
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class About:
    """A data set's title page.

    Attributes:
        title: The data set in one sentence.
        licence: The licence of the data, or who has to know it.
        citation: Whom to cite, or nothing.
        redistribution: Whether the data may be passed on. What may be used and not passed on is
            fetched where it is needed, and is in no repository and no bundle.
        rows: How many can be used, about; what is read from a moving archive grows. 0 where nobody
            has counted.
    """

    title: str
    licence: str
    citation: str
    redistribution: str
    rows: int = 0


def about_file(name: str) -> About:
    """Of a user's own file nothing is known but its name."""
    owner = "The owner of the file knows."
    return About(title=f"Rows of {name}", licence=owner, citation="", redistribution=owner)
