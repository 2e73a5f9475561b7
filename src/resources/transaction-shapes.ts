// Transactions as they are shown (reference: objects, sections 1 to 8 and 15).

import { type TSchema, Type } from "typebox";

const or_null = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
const text = () => Type.String();
const text_or_null = () => or_null(Type.String());
const integer_or_null = () => or_null(Type.Integer());
const flag_or_null = () => or_null(Type.Boolean());
const time = () => Type.String({ format: "date-time" });
const time_or_null = () => or_null(time());
const map = () => Type.Object({}, { additionalProperties: true });

export const OperationShape = Type.Object(
  {
    id: Type.Integer(),
    type: text(),
    amount: integer_or_null(),
    pending: Type.Boolean(),
    status_code: text_or_null(),
    status_msg: text_or_null(),
    acquirer_status_code: text_or_null(),
    acquirer_status_msg: text_or_null(),
    data: map(),
    callback_url: text_or_null(),
    callback_success: flag_or_null(),
    callback_response_code: integer_or_null(),
    callback_duration: integer_or_null(),
    acquirer: text_or_null(),
    "3d_secure_status": text_or_null(),
    callback_at: time_or_null(),
    created_at: time(),
  },
  { title: "Operation" },
);

const MetadataShape = Type.Object(
  {
    type: or_null(Type.Enum(["card", "mobile", "nin"])),
    origin: text_or_null(),
    brand: text_or_null(),
    bin: text_or_null(),
    corporate: flag_or_null(),
    last4: text_or_null(),
    exp_month: integer_or_null(),
    exp_year: integer_or_null(),
    country: text_or_null(),
    is_3d_secure: flag_or_null(),
    "3d_secure_type": text_or_null(),
    issued_to: text_or_null(),
    hash: text_or_null(),
    moto: Type.Boolean(),
    number: text_or_null(),
    customer_ip: text_or_null(),
    customer_country: text_or_null(),
    fraud_suspected: Type.Boolean(),
    fraud_remarks: Type.Array(text()),
    fraud_reported: Type.Boolean(),
    fraud_report_description: text_or_null(),
    fraud_reported_at: time_or_null(),
    nin_number: text_or_null(),
    nin_country_code: text_or_null(),
    nin_gender: text_or_null(),
    shopsystem_name: text_or_null(),
    shopsystem_version: text_or_null(),
    ch_mid: text_or_null(),
  },
  { title: "Metadata" },
);

const PaymentLinkShape = Type.Object(
  {
    url: text(),
    agreement_id: Type.Integer(),
    language: text(),
    amount: Type.Integer(),
    continue_url: text_or_null(),
    cancel_url: text_or_null(),
    callback_url: text_or_null(),
    payment_methods: text_or_null(),
    auto_fee: flag_or_null(),
    auto_capture: flag_or_null(),
    auto_capture_at: text_or_null(),
    branding_id: integer_or_null(),
    google_analytics_client_id: text_or_null(),
    google_analytics_tracking_id: text_or_null(),
    version: text(),
    acquirer: text_or_null(),
    deadline: integer_or_null(),
    framed: Type.Boolean(),
    branding_config: map(),
    invoice_address_selection: flag_or_null(),
    shipping_address_selection: flag_or_null(),
    fee_vat: integer_or_null(),
    moto: Type.Boolean(),
    customer_email: text_or_null(),
  },
  { title: "PaymentLink" },
);

export const LinkUrlShape = Type.Object({ url: text() }, { title: "LinkUrl" });

const AddressShape = Type.Object(
  {
    name: text_or_null(),
    att: text_or_null(),
    street: text_or_null(),
    city: text_or_null(),
    zip_code: text_or_null(),
    region: text_or_null(),
    country_code: text_or_null(),
    vat_no: text_or_null(),
    company_name: text_or_null(),
    house_number: text_or_null(),
    house_extension: text_or_null(),
    phone_number: text_or_null(),
    mobile_number: text_or_null(),
    email: text_or_null(),
  },
  { title: "OptionalAddress" },
);

const BasketShape = Type.Object(
  { qty: Type.Integer(), item_no: text(), item_name: text(), item_price: Type.Integer(), vat_rate: Type.Number() },
  { title: "Basket" },
);

const ShippingShape = Type.Object(
  {
    method: text_or_null(),
    company: text_or_null(),
    amount: integer_or_null(),
    vat_rate: or_null(Type.Number()),
    tracking_number: text_or_null(),
    tracking_url: text_or_null(),
  },
  { title: "Shipping" },
);

const identity = { id: Type.Integer(), merchant_id: Type.Integer(), accepted: Type.Boolean() };
const described = {
  text_on_statement: text_or_null(),
  branding_id: integer_or_null(),
  variables: map(),
  currency: text(),
  metadata: MetadataShape,
  link: or_null(PaymentLinkShape),
};
const addressed = {
  shipping_address: or_null(AddressShape),
  invoice_address: or_null(AddressShape),
  basket: Type.Array(BasketShape),
  shipping: or_null(ShippingShape),
};
const processed = {
  operations: Type.Array(OperationShape),
  test_mode: Type.Boolean(),
  acquirer: text_or_null(),
  facilitator: text_or_null(),
  created_at: time(),
  updated_at: time(),
  retented_at: time_or_null(),
};

const amounts = {
  authorized_amount: Type.Integer(),
  captured_amount: Type.Integer(),
  refunded_amount: Type.Integer(),
};
const allowed_operations = Type.Array(text(), { description: "What can be done with it now" });

export const PaymentShape = Type.Object(
  {
    ...identity,
    ulid: text(),
    order_id: text(),
    type: Type.Literal("Payment"),
    state: Type.Enum(["initial", "pending", "new", "rejected", "processed"]),
    ...described,
    ...addressed,
    ...processed,
    balance: Type.Integer(),
    ...amounts,
    fee: integer_or_null(),
    subscription_id: Type.Optional(Type.Integer({ description: "Only on payments made from a subscription" })),
    deadline_at: time_or_null(),
    reseller_id: integer_or_null(),
    allowed_operations,
  },
  { title: "Payment" },
);

export const SubscriptionShape = Type.Object(
  {
    ...identity,
    ulid: text(),
    order_id: text(),
    type: Type.Literal("Subscription"),
    state: Type.Enum(["initial", "pending", "active", "cancelled", "rejected"]),
    ...described,
    ...addressed,
    ...processed,
    ...amounts,
    description: text(),
    group_ids: Type.Array(Type.Integer()),
    deadline_at: time_or_null(),
    reseller_id: integer_or_null(),
    allowed_operations,
  },
  { title: "Subscription" },
);

export const PayoutShape = Type.Object(
  {
    ...identity,
    order_id: text(),
    type: Type.Literal("Payout"),
    state: Type.Enum(["initial", "pending", "rejected", "processed"]),
    ...described,
    ...processed,
    balance: Type.Integer({ description: "What was paid out" }),
    ...amounts,
    allowed_operations,
  },
  { title: "Payout" },
);

const { amount: _, "3d_secure_status": __, ...card_operation } = OperationShape.properties;
export const CardOperationShape = Type.Object(card_operation, { title: "CardOperation" });

const CardLinkShape = Type.Object(
  {
    url: text(),
    agreement_id: Type.Integer(),
    language: text(),
    continue_url: text_or_null(),
    cancel_url: text_or_null(),
    callback_url: text_or_null(),
    payment_methods: text_or_null(),
    branding_id: integer_or_null(),
    google_analytics_client_id: text_or_null(),
    google_analytics_tracking_id: text_or_null(),
    version: text(),
    acquirer: text_or_null(),
    framed: Type.Boolean(),
    branding_config: map(),
  },
  { title: "CardLink" },
);

export const CardShape = Type.Object(
  {
    ...identity,
    type: Type.Literal("Card"),
    acquirer: text_or_null(),
    metadata: MetadataShape,
    link: or_null(CardLinkShape),
    operations: Type.Array(CardOperationShape),
    variables: map(),
    test_mode: Type.Boolean(),
    created_at: time(),
    allowed_operations,
  },
  { title: "Card" },
);

export const CardTokenShape = Type.Object(
  { token: text(), is_used: Type.Boolean(), created_at: time() },
  { title: "CardToken" },
);

export const FraudReportShape = Type.Object(
  { description: text_or_null(), created_at: time() },
  { title: "FraudReport" },
);
