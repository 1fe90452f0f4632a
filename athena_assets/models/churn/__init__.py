"""Churn: will an active customer buy nothing in the next 90 days?"""
