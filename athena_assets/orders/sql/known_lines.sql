/* Grain: one content of a line ({{content}}) that earlier nights have kept, of an order that the scope brings again.
   Inputs: earlier_lines. Output: {{content}}; times_known, how many lines of that content they have kept. */
SELECT {{content}}, count(*) AS times_known
FROM earlier_lines
GROUP BY ALL
