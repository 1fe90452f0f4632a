r"""A seeded retailer: customers who arrive, buy, complain, are written to, and leave for good.

The simulator exists because real order files hide what a churn model is judged on: whether a silent customer
has left, and what a campaign changed. Here both are known, and kept in a truth folder that no delivery shares.

The model, per customer `i` and day `t`:

* **Purchases.** On a day on which the customer is still one, an order happens with probability
  ``1 - exp(-lambda_i * s_k(t) * u_i(t))``. The rate is ``lambda_i ~ Gamma(shape r, mean purchases_per_year)``,
  which makes counts negative binomial as in Schmittlein, Morrison & Colombo (1987). `s_k(t)` is the season
  (weekday times calendar day, mean one over a year, the same every year; Christmas peak, January trough; gift
  shoppers have the same curve, sharpened); `u_i(t)` is the lift of an open campaign.
* **Dropout.** After each day the customer leaves for good with probability
  ``1 - exp(-mu_i * (1 + kappa * g_i(t)) * v_i(t))``, ``mu_i ~ Gamma(shape s)`` with mean lifetime
  ``E[1/mu] = lifetime_years``. Without covariates this is the Pareto/NBD of Schmittlein et al. on a daily grid;
  the BG/NBD of Fader, Hardie & Lee (2005) differs in letting people leave only after an order. A hazard in
  calendar time is what a bad experience can raise, hence this choice.
* **Start.** The base present on the first day is a sample of the equilibrium of that process: among those
  alive, ``mu ~ Gamma(s - 1)`` and the age is exponential with rate mu. Its size balances arrivals and
  departures, so that the same season looks the same from one year to the next. A new customer registers with
  a first order.
* **Grievance.** An order is followed by a complaint with probability `complaint_rate`, one to eight days
  later; it adds one (unresolved) or 0.3 (resolved) to `g_i`, which halves every `grievance_half_life_days`.
  Questions are service contacts too and change nothing.
* **Campaigns.** Each day a uniform sample of customers with a purchase in the last 365 days is assigned to
  treatment or holdout by an independent coin. For the 14 days that follow, treatment multiplies the purchase
  rate by `u` and the dropout hazard by `v` of the customer's hidden segment; holdout changes nothing.
  `response` is an order on one of those 14 days; the row is delivered when they are over.
* **Baskets.** ``1 + Poisson`` lines with a log-normal customer mean; products by a Zipf law or from the
  customer's favourites; ``1 + Poisson`` units; log-normal prices. A few orders are in bulk,
  with four to sixty times the units. Some orders come back in part, weeks later.

* **Loyalty.** From registration on a shopper joins the scheme at rate `loyalty_joins_per_year`; a member's rate and
  extra lines are multiplied by two lifts. No delivered column says who is one: the schema stays as it is.
* **Accounts that are no shoppers.** Staff buy little, often and at a discount; bots buy every other day, many
  lines and units, to sell again.
* **Products.** A launch grows to its full popularity in 60 days, declines over the last three tenths of its life
  and is retired; the base is found in the midst of such lives. Its price is revised once a year by
  `price_inflation`, and each new price is delivered as a new version of the product.
* **Corrected orders.** A share of the orders comes again one to ten nights later under the same number: a line with
  another quantity or a lower price, or one line less. What happened, and so the truth, is the same.
* **Late orders.** A share of the orders in stores is delivered one to five nights late, with `known_at` of that night.

Random streams are addressed, not shared: every (block of customers, day) has its own. So what is simulated
later cannot change what came before, and no block depends on another. `retailer.simulate` is the entry.

References: D. C. Schmittlein, D. G. Morrison, R. Colombo, "Counting your customers: who are they and what will
they do next?", Management Science 33(1), 1987. P. S. Fader, B. G. S. Hardie, K. L. Lee, "'Counting your
customers' the easy way: an alternative to the Pareto/NBD model", Marketing Science 24(2), 2005.
"""
