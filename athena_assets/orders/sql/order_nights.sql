/* Grain: one night of which the kept lines may be of an order that the scope brings. Inputs: the clean lines of
   earlier nights (none for the history). Output: night, each of them.
   It only narrows the search: cleaning makes it of fingerprints of the orders (fingerprints.py), with few nights. */
SELECT DISTINCT night
FROM ({{earlier_rows}})
