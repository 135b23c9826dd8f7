"""Who the patients are, as far as the table says: Table 1 of Su et al. 2022."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grading.evaluation.cases import Cases, Rows


@dataclass(frozen=True, slots=True)
class Demographics:
    """Some patients' ages and sexes."""

    name: str
    patients: int
    women: int
    men: int
    other: int
    sex_unknown: int
    aged: int
    """Patients whose age is given; the figures below are None without any."""
    mean_years: float | None
    deviation_years: float | None
    """Of the sample; None below two patients."""
    youngest_years: float | None
    oldest_years: float | None


def demographics(cases: Cases) -> tuple[Demographics, ...]:
    """Describe the included patients: all of them, then by site where there are any."""
    groups = {"all patients": cases.included}
    sites = cases.sites.present()
    if len(sites) > 1:
        groups |= {
            f"site {name}": rows & cases.included for name, rows in sites.items()
        }
    return tuple(_of(cases, name, rows) for name, rows in groups.items())


def _of(cases: Cases, name: str, rows: Rows) -> Demographics:
    words = cases.patients.words
    people = [
        cases.people[words[code]] for code in np.unique(cases.patients.codes[rows])
    ]
    ages = [one.age_years for one in people if one.age_years is not None]
    sexes = [one.sex for one in people]
    return Demographics(
        name=name,
        patients=len(people),
        women=sexes.count("F"),
        men=sexes.count("M"),
        other=sexes.count("O"),
        sex_unknown=sexes.count(""),
        aged=len(ages),
        mean_years=float(np.mean(ages)) if ages else None,
        deviation_years=float(np.std(ages, ddof=1)) if len(ages) > 1 else None,
        youngest_years=min(ages, default=None),
        oldest_years=max(ages, default=None),
    )
