"""How much: prices, subsidies, funds, metering, invoices, payments and the books. It knows no digital twin."""
