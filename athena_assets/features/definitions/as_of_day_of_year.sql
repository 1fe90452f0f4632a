/* ---
name: as_of_day_of_year
description: >-
  Day of the year on which as_of falls, 1 to 366: the season, the same for every customer of a
  night.
table: context
dtype: INTEGER
unit: days
window: none
null_policy: "none allowed"
bounds: [1, 366]
owner: customer-insight
since: 1.0.0
words:
  phrase: time of year
  pivot: 183
  high: "late in the year (day {value})"
  low: "early in the year (day {value})"
--- */
dayofyear(as_of_date)
