// Every wanted difference between API v10 as its data describes it and ours, each with the line that demands it. One that
// explains nothing any more has to go.

import type { Finding } from "./contract-compare.ts";

export type Difference = {
  /** Our decision. */
  readonly named: string;
  /** The page of the reference, its section, and its words where they are few. */
  readonly demanded_by: string;
  /** Which operations or objects it concerns; all unless given. */
  readonly at?: RegExp;
  readonly about: RegExp;
  readonly theirs: RegExp;
  readonly ours: RegExp;
};

// Of more the contract would be no contract.
export const differences_max = 40;

const none = /^-$/;
const there = /^there$/;
const some = /^(body|query|header)$/;
const text = /^string$/;

const list_paths = [
  "acl-resources|activity|agreements|agreements/{id}/activity|brandings|cards|cryptography/keys|fees/formulas",
  "fees/formulas/{acquirer}|fraud-rulesets|operational-status/acquirers|payouts|subscription-groups|subscriptions",
  "subscriptions/{id}/payments",
];
const lists = new RegExp(
  `^(GET /(${list_paths.join("|")})|POST /subscription-groups/{id}/capture)$`.replace(/[{}]/g, "\\$&"),
);

const statuses: readonly Difference[] = [
  {
    named: "What is made answers 201, what goes on 202, what is gone or put 204: 200 only names the object in the data",
    demanded_by: "protocol.md section 7, status codes; resources.md, column Success",
    about: /^status 200 beside 20[124]$/,
    theirs: there,
    ours: none,
  },
  {
    named: "A deletion shows nothing of what it deleted",
    demanded_by: "resources.md section 4 (DELETE /account/04-platform: 204) and section 15 (DELETE: 204)",
    at: /^DELETE (\/account\/04-platform|\/fraud-rulesets\/\{id\})$/,
    about: /^answer$/,
    theirs: /^"(Zero4PlatformSettings|FraudRuleset)"$/,
    ours: none,
  },
  {
    named: "A new subscription and a new payout are 201",
    demanded_by: 'extensions.md section 6, "POST subscriptions, payouts: 201"',
    at: /^POST \/(subscriptions|payouts)$/,
    about: /^status 20[12]$/,
    theirs: /^(there|-)$/,
    ours: /^(there|-)$/,
  },
  {
    named: "Every error that can happen is documented, the common ones too",
    demanded_by:
      'resources.md, conventions, "Common failures for everything"; extensions.md section 2, the order of checks',
    about: /^status (400|401|402|403|404|406|409|413|415|429|503)$/,
    theirs: none,
    ours: there,
  },
];

const answers: readonly Difference[] = [
  {
    named: "A list is a list (the data lost the brackets of all but payments)",
    demanded_by: 'protocol.md section 6, "A list is a bare JSON array"',
    at: lists,
    about: /^answer$/,
    theirs: /^"\w+"$/,
    ours: /^array$/,
  },
  {
    named: "Files, signing requests, certificates and the changelog answer with what they hold",
    demanded_by: "resources.md section 2, section 4 (raw bytes), section 13 (raw file), section 16 (PEM)",
    at: /^(GET \/(account\/logo|changelog|brandings\/\{id\}\/\{resource_name\}|cryptography\/keys\/\{id\}\/certificate)|POST \/cryptography\/keys\/\{id\}\/csr)$/,
    about: /^answer$/,
    theirs: none,
    ours: there,
  },
  {
    named: "A new priority of acquirers is answered as it stands",
    demanded_by: 'introduction.txt, 200: "an entity describing or containing the result of the action"',
    at: /^POST \/payment-method-priority$/,
    about: /^answer$/,
    theirs: none,
    ours: there,
  },
  {
    named: "An invitation's token is shown to who invites, and accepts or declines it",
    demanded_by: "extensions.md section 3 (PATCH /agreements/{id} accepted=true, token; DELETE declines)",
    at: /^(Agreement|(PATCH|DELETE) \/agreements\/\{id\})$/,
    about: /^(member invitation_token|parameter (accepted|token))$/,
    theirs: none,
    ours: /^(there|body|query)$/,
  },
];

const parameters: readonly Difference[] = [
  {
    named: "The version is asked for by Accept-Version, and whatever writes takes an Idempotency-Key",
    demanded_by: "protocol.md section 2, request headers; extensions.md section 7",
    about: /^parameter (Accept-Version|Idempotency-Key)$/,
    theirs: none,
    ours: /^header$/,
  },
  {
    named: "The callback's header has our name in the document; QuickPay's is taken too",
    demanded_by:
      "protocol.md section 2, QuickPay-Callback-Url / CoolPay-Callback-Url (on cards' authorize and cancel too)",
    at: /^POST /,
    about: /^parameter (CoolPay|QuickPay)-Callback-Url$/,
    theirs: /^(-|header)$/,
    ours: /^(-|header)$/,
  },
  {
    named: "`synchronized` only has to be there, on every operation that an acquirer is asked about",
    demanded_by: 'protocol.md section 5, "any value or none"',
    at: /^POST /,
    about: /^parameter synchronized(: type)?$/,
    theirs: /^(-|boolean)$/,
    ours: /^(query|string)$/,
  },
  {
    named: "Maps and JSON are objects (in a form they have brackets; JSON may be a text)",
    demanded_by: "resources.md, conventions (map), 7.5 (branding_config JSON), section 14; protocol.md section 3",
    about: /^parameter (variables|extras|branding_config|default_branding_config|payment_method_priority): type$/,
    theirs: text,
    ours: /^object$/,
  },
  {
    named: "Lists are lists (one value counts as a list of one)",
    demanded_by: "resources.md section 4 (shop_urls list), section 6 (currencies list), section 8 (group_ids[])",
    about: /^parameter (shop_urls|currencies|group_ids): type$/,
    theirs: text,
    ours: /^array$/,
  },
  {
    named: "Files are files",
    demanded_by: "resources.md section 4 and section 13 (multipart file)",
    at: /^PUT /,
    about: /^parameter file: type$/,
    theirs: text,
    ours: /^file$/,
  },
  {
    named: "Every list has pages and an opaque page_key, into which a plain number still fits",
    demanded_by:
      'extensions.md section 7, "Every list, from v10 on: Link headers, keyset page_key"; protocol.md section 6',
    at: /^GET /,
    about: /^parameter (page_key(: type)?|page|page_size|sort_by|sort_dir)$/,
    theirs: /^(-|integer)$/,
    ours: /^(query|string)$/,
  },
  {
    named: "A link's acquirer is one that there is",
    demanded_by: "resources.md section 0, ACQUIRER enum; section 7.5",
    at: /^PUT \/(payments|subscriptions|cards|payouts)\/\{id\}\/link$/,
    about: /^parameter acquirer: words$/,
    theirs: none,
    ours: /^bambora clearhaus coinify .* viabill vipps$/,
  },
  {
    named: "Links take the spellings of before 2017 and those of today",
    demanded_by: 'protocol.md section 3, old spellings; resources.md section 10 (cards), "accept the new one too"',
    at: /^PUT \/(payments|subscriptions|cards|payouts)\/\{id\}\/link$/,
    about: /^parameter (continue_?url|cancel_?url|callback_?url|autofee|autocapture)$/,
    theirs: none,
    ours: some,
  },
  {
    named: "Parameters that came after 2020 are taken",
    demanded_by: "resources.md, [later] in 7.5, 7.8 and section 8, CARD group; states.md section 4 (auto_capture_at)",
    at: /^(PUT|POST|PATCH) \/(payments|subscriptions|payouts)\b/,
    about:
      /^parameter (auto_capture_at|fee_vat|moto|card\[google_pay_token\]|vat_amount|threeds_v2|unscheduled|variables|description|due_date)$/,
    theirs: none,
    ours: some,
  },
  {
    named: "A card that is saved may bring the result of its 3-D Secure",
    demanded_by: "resources.md section 0, CARD group (3-D Secure results obtained elsewhere)",
    at: /^POST \/cards\/\{id\}\/authorize$/,
    about: /^parameter card\[(status|eci|xav|cavv)\]$/,
    theirs: none,
    ours: some,
  },
  {
    named: "PATCH /account takes the settings of all 22 acquirers, the newer ones too",
    demanded_by: "resources.md section 6 (PATCH parameters per acquirer); objects.md section 11 (22 keys)",
    at: /^PATCH \/account$/,
    about:
      /^parameter acquirer_settings\[(coinify|klarnapayments|mobilepayonline|paysafecard|resurs|swish|trustly|vipps)\]\[\w+\]$/,
    theirs: none,
    ours: some,
  },
  {
    named: "What can be permitted is asked by kind of account",
    demanded_by: 'resources.md section 5, "client evidence for account_type filter"',
    at: /^GET \/acl-resources$/,
    about: /^parameter account_type$/,
    theirs: none,
    ours: some,
  },
  {
    named: "A branding's file is named by the rest of the path",
    demanded_by: 'resources.md section 13, "path may contain slashes"',
    at: /^(GET|PUT|DELETE) \/brandings\/\{id\}\/\{resource_name\}$/,
    about: /^parameter resource_name: (place|required)$/,
    theirs: /^(query|body|false)$/,
    ours: /^(path|true)$/,
  },
  {
    named: "A key has a size or a curve, by its type",
    demanded_by: "resources.md section 16, key_size (rsa), curve (ec)",
    at: /^POST \/cryptography\/keys$/,
    about: /^parameter (key_size|curve): required$/,
    theirs: /^true$/,
    ours: /^false$/,
  },
  {
    named: "A curve is judged when the key is elliptic, and then only the strong ones of OpenSSL's are taken",
    demanded_by:
      'resources.md section 16, "OpenSSL curve name; ec": a name, of which the data lists all there ever were',
    at: /^POST \/cryptography\/keys$/,
    about: /^parameter curve: words$/,
    theirs: /\bprime256v1\b/,
    ours: none,
  },
  {
    named: "A rule against fraud names one of the things that are known of a payment",
    demanded_by: "resources.md section 15, metric_name: rules act on payments, and what is not known cannot",
    at: /^(POST|PATCH) \/fraud-rulesets/,
    about: /^parameter filter_rules\[\]\[metric_name\]: words$/,
    theirs: none,
    ours: /\bcard_country\b/,
  },
];

const members: readonly Difference[] = [
  {
    named: "What is a number or a boolean in real payloads is one",
    demanded_by:
      "objects.md section 2 (callback_response_code int), section 3 (is_3d_secure bool), section 4 (deadline int)",
    at: /^(Operation|CardOperation|Metadata|PaymentLink)$/,
    about: /^member (callback_response_code|is_3d_secure|deadline): type$/,
    theirs: /^(boolean|string)$/,
    ours: /^(integer|boolean)$/,
  },
  {
    named: "A file's size is a number",
    demanded_by: 'objects.md section 13, "int inferred"',
    at: /^BrandingResource$/,
    about: /^member size: type$/,
    theirs: text,
    ours: /^integer$/,
  },
  {
    named: "An activity's id is a text",
    demanded_by: 'objects.md section 14, "use str"',
    at: /^Activity$/,
    about: /^member id: type$/,
    theirs: /^integer$/,
    ours: text,
  },
  {
    named: "A subscription has a list of basket lines, as a payment has",
    demanded_by: 'objects.md section 6, "As Payment"',
    at: /^Subscription$/,
    about: /^member basket: type$/,
    theirs: /^"Basket"$/,
    ours: /^array$/,
  },
  {
    named: "Subscriptions and payouts have states of their own",
    demanded_by: "objects.md section 6 and section 8; states.md sections 5 and 6",
    at: /^(Subscription|Payout)$/,
    about: /^member state: words$/,
    theirs: /^initial new pending processed rejected$/,
    ours: /^(active cancelled initial pending rejected|initial pending processed rejected)$/,
  },
  {
    named: "Members that came after 2020 are there",
    demanded_by:
      "objects.md section 1 (ulid, reseller_id), section 3 (3d_secure_type, moto, ch_mid), section 4 (example)",
    at: /^(Payment|Subscription|Metadata|PaymentLink)$/,
    about: /^member (ulid|reseller_id|3d_secure_type|moto|ch_mid|auto_capture_at|fee_vat)$/,
    theirs: none,
    ours: there,
  },
  {
    named: "Status codes of operations also stand under cp_",
    demanded_by: 'objects.md section 2, "emit both pairs on operations"',
    at: /^(Operation|CardOperation)$/,
    about: /^member cp_status_(code|msg)$/,
    theirs: none,
    ours: there,
  },
  {
    named: "A card's operation has data, as every operation",
    demanded_by: 'objects.md section 2, "CardOperation = Operation without amount and 3d_secure_status"',
    at: /^CardOperation$/,
    about: /^member data$/,
    theirs: none,
    ours: there,
  },
  {
    named: "PayPal's scope and MobilePay Subscriptions' provider are the texts that were set",
    demanded_by: "objects.md section 11 (the members of resources.md section 6, where only currencies is a list)",
    at: /^AcquirerSettings(PayPal|MobilePaySubscriptions)$/,
    about: /^member (scope|provider): type$/,
    theirs: /^(\["string"\]|string|object)$/,
    ours: text,
  },
  {
    named: "Nobody is a reseller here",
    demanded_by: "extensions.md section 2, the table of scopes",
    at: /^Pong$/,
    about: /^member scope: words$/,
    theirs: /^anonymous merchant reseller user$/,
    ours: /^anonymous merchant user$/,
  },
  {
    named:
      "Who or what there is not is null: an invited person, the currency of a test that failed, the actor of a deadline",
    demanded_by: 'protocol.md section 7, "Nullable fields are present with null"',
    at: /^(AgreementUser|AcquirerTestResult|Activity)$/,
    about: /^member (id|name|currency|target_id|user_id): null$/,
    theirs: /^never$/,
    ours: /^may be$/,
  },
  {
    named: "Only a payment of a subscription has subscription_id",
    demanded_by: 'objects.md section 1, "only present on payments created by recurring"',
    at: /^Payment$/,
    about: /^answered member subscription_id$/,
    theirs: there,
    ours: none,
  },
  {
    named: "What a branding's files hold is left out unless asked for",
    demanded_by: "objects.md section 13 (resources[].data)",
    at: /^BrandingResource$/,
    about: /^answered member data$/,
    theirs: there,
    ours: none,
  },
];

export const wanted: readonly Difference[] = [...statuses, ...answers, ...parameters, ...members];

export const explains = ({ at, about, theirs, ours }: Difference, finding: Finding): boolean =>
  (at === undefined || at.test(finding.at)) &&
  about.test(finding.about) &&
  theirs.test(finding.theirs) &&
  ours.test(finding.ours);
