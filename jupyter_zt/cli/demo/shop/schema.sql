CREATE TABLE customers (
  id           bigint NOT NULL,
  name         text NOT NULL,
  email        text NOT NULL,
  phone        text NOT NULL,
  national_id  text NOT NULL,
  birth_date   date NOT NULL,
  address      text NOT NULL,
  city         text NOT NULL,
  country      text NOT NULL,
  credit_limit numeric(12, 2) NOT NULL,
  created_at   timestamp NOT NULL
);

CREATE TABLE products (
  id       bigint NOT NULL,
  name     text NOT NULL,
  category text NOT NULL,
  price    numeric(12, 2) NOT NULL,
  stock    integer NOT NULL
);

CREATE TABLE orders (
  id          bigint NOT NULL,
  customer_id bigint NOT NULL,
  product_id  bigint NOT NULL,
  quantity    integer NOT NULL,
  total       numeric(12, 2) NOT NULL,
  status      text NOT NULL,
  ordered_at  timestamp NOT NULL
);

CREATE TABLE payments (
  id          bigint NOT NULL,
  order_id    bigint NOT NULL,
  method      text NOT NULL,
  card_number text,
  amount      numeric(12, 2) NOT NULL,
  paid_at     timestamp NOT NULL
);

CREATE TABLE support_tickets (
  id          bigint NOT NULL,
  customer_id bigint NOT NULL,
  subject     text NOT NULL,
  body        text NOT NULL,
  status      text NOT NULL,
  opened_at   timestamp NOT NULL
);
