-- After the rows are in: one join for each key instead of a look-up for each row.
ALTER TABLE customers ADD PRIMARY KEY (id);
ALTER TABLE products ADD PRIMARY KEY (id);
ALTER TABLE orders ADD PRIMARY KEY (id);
ALTER TABLE payments ADD PRIMARY KEY (id);
ALTER TABLE support_tickets ADD PRIMARY KEY (id);

ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers;
ALTER TABLE orders ADD FOREIGN KEY (product_id) REFERENCES products;
ALTER TABLE payments ADD FOREIGN KEY (order_id) REFERENCES orders;
ALTER TABLE support_tickets ADD FOREIGN KEY (customer_id) REFERENCES customers;

CREATE INDEX ON orders (customer_id);
CREATE INDEX ON orders (product_id);
CREATE INDEX ON orders (ordered_at);
CREATE INDEX ON payments (order_id);
CREATE INDEX ON support_tickets (customer_id);
