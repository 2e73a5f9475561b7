// A branding as shops have written them for the original window (reference: branding-templates): its names, dialect, fields,
// ids and relative addresses. A little shop of teas has made it; the payment window has to show it, and be paid, unchanged.

import { mo } from "gettext-parser";
import { png } from "./files.ts";

const layout = `<div class="wrapper tea-house">
  <div class="tea-header">
    {% if model.logo_url %}<img id="merchant-logo" src="{{ model.logo_url }}" alt="{{ model.displayname }}">{% endif %}
    <h1 id="merchant-name">{{ model.displayname }}</h1>
    {% include "order_info" %}
  </div>
  <div class="tea-content">
    {% include "content" %}
  </div>
  {% unless model.alternative_payment_methods == empty and model.undo_payment_method? == false %}
    <div class="tea-others">
      <h4>{% t Other teapots %}</h4>
      {% if model.undo_payment_method? %}
        <a class="btn" href="{{ model.session_id }}/payment-method-undo/"><img src="/assets/v2/images/brands/card.svg" alt="{% t Cards %}"></a>
      {% endif %}
      {% for method in model.alternative_payment_methods %}
        {% include "payment_methods_list" method=method %}
      {% endfor %}
    </div>
  {% endunless %}
  {% if model.show_cancel? %}
    <a class="btn-cancel" href="/{{ model.session_id }}/cancel-payment" data-confirm="{% t Leave the tea house? %}">{% t Leave the tea house %}</a>
  {% endif %}
</div>
{% include "footer" %}
`;

const order_info = `<div id="order-info">
  <span>{% t Tea order %}</span> <b>{{ model.order_id }}</b>
  {% if model.deadline? %}<span>{% t steeped in %}</span> <span id="time_left">{{ model.time_left }}</span>{% endif %}
</div>
`;

const footer = `<div id="footer">
  <div id="language-list" style="display: none">
    <a href="/{{ model.session_id }}/update-language?language=da">Dansk</a>
    <a href="/{{ model.session_id }}/update-language?language=en">English</a>
  </div>
  <span id="language-toggle" data-toggle="#language-list" data-hide="#cvd-help">{{ model.language | upcase }}</span>
</div>
`;

const form = `<div id="active-form">
  {% include "form/error" %}
  {% include model.form_template %}
</div>
`;

// The published one asks for a text of the acquirer first, then for the three keys that it knows.
const form_error = `{% if model.acquirer_error_message or model.error %}
  <h4 class="tea-spilt" style="margin-top: 0">
    <img class="icon" src="{{ images.cup.svg }}" alt="">
    {% if model.acquirer_error_message %}{{ model.acquirer_error_message }}{% endif %}
    {% case model.error %}
    {% when "try_again" %}{% t The tea was spilt. %} {% t Please pour again. %}
    {% when "live_payment_on_test_transaction" %}{% t Real money for a paper cup? %}
    {% when "test_payment_on_live_transaction" %}{% t Toy money for a real cup? %}
    {% endcase %}
  </h4>
{% endif %}
`;

const valid = (id: string): string =>
  `<span id="${id}-check" style="display: none" aria-hidden="true"><img src="{{ images.ok-mark.svg }}" alt="Checkmark"></span>
   <span id="${id}-sr" class="sr-only">(success)</span>`;

const form_card = `<form class="form-horizontal" autocomplete="on" action="{{ model.form_action }}" method="post">
  <input type="hidden" name="session_id" value="{{ model.session_id }}" />
  <h4>{% t Pay for your tea by card %}</h4>
  {% for method in model.card_payment_methods %}
    <img class="card-brand" src="{{ method.image_path }}" alt="{{ method.nice_name }}" data-card-brand-logo="{{ method.name }}" />
  {% endfor %}
  {% if config.enable_card_holder_field %}
    {% unless model.moto %}
      <label for="cardholder">{% t Name on card %}</label>
      <input type="text" id="cardholder" name="cardholder" autocomplete="cc-name" {% if config.enable_prefill_name %}value="{{ model.name_on_card }}"{% endif %}>
    {% endunless %}
  {% endif %}
  <label for="cardnumber">{% t Card number %}</label>
  <input type="tel" id="cardnumber" name="cardnumber" autocomplete="cc-number" pattern="[0-9\\s]*" data-mask="#" inputmode="numeric">
  ${valid("cardnumber")}
  <div id="brand-selector" style="display: none;">
    <input type="radio" name="brand" id="cardbrandVisa" value="visa"><label for="cardbrandVisa">Visa</label>
    <input type="radio" name="brand" id="cardbrandDankort" value="dankort"><label for="cardbrandDankort">Dankort</label>
  </div>
  <label for="expiration-month">{% t Expiration date %}</label>
  <input type="tel" id="expiration-month" name="expiration[month]" placeholder="MM" maxlength="2" pattern="[0-9]*" data-mask="99">
  ${valid("expiration-month")}
  <input type="tel" id="expiration-year" name="expiration[year]" placeholder="YY" maxlength="2" pattern="[0-9]*" data-mask="99">
  ${valid("expiration-year")}
  {% unless model.moto %}
    <label for="cvd" id="cvd-label">CVV/CVD</label>
    <img class="icon clickable" src="{{ images.question-circle.svg }}" alt="CVV/CVD" data-toggle="#cvd-help">
    <input type="tel" id="cvd" name="cvd" autocomplete="cc-csc" maxlength="4" pattern="[0-9]*" data-mask="9999">
    ${valid("cvd")}
  {% endunless %}
  <div id="cvd-help" style="display: none"><p>{% t Three digits on the back, that's all. %}</p><img src="{{ images.cvd_help.png }}"></div>
  {% if config.enable_3d_card_field %}
    <div id="3d-field" style="display: none"><label><input type="checkbox" id="3d" name="3d" value="1"> {% t Enable 3D Secure %}</label></div>
  {% endif %}
  {% capture button_text %}
    {% if model.transaction_type == "payment" %}{% t Pay for tea %} <span id="total-field">{{ model.formatted_amount }} {{ model.currency }}</span>
    {% elsif model.transaction_type == "subscription" %}{% t Subscribe to tea %}
    {% elsif model.transaction_type == "card" %}{% t Save card %}
    {% elsif model.transaction_type == "payout" %}{% t Receive %} <span id="total-field">{{ model.formatted_amount }} {{ model.currency }}</span>{% endif %}
  {% endcapture %}
  <button type="submit" class="btn btn-primary" data-card-valid-swap="btn-success,btn-primary">{{ button_text }}</button>
  {% if model.calculate_fee %}<p id="fee">{% t Payment fee %}: <span id="fee-field"><i>{% t Fill in card number %}</i></span></p>{% endif %}
  {% if config.reservation_notice %}<div class="reservation-notice">{{ config.reservation_notice }}</div>{% endif %}
</form>
`;

const payment_methods_list = `<div class="payment-method payment-method-{{ method.name }}">
  <a href="{% if method.payment_request_api_method? %}#{% else %}{{ model.session_id }}/payment-method/{{ method.name }}{% endif %}" class="btn">
    <img src="{{ method.image_path }}" alt="{{ method.nice_name }}" />
  </a>
</div>
`;

const selector = `<div id="selector">
  <h4>{% t Choose a teapot %}</h4>
  {% for method in model.payment_methods %}
    {% include "payment_methods_list" method=method %}
  {% endfor %}
</div>
`;

const mobilepay_online = `<p>{% t The MobilePay pot opens when you press below. %}</p>
<a class="btn btn-info {% unless !model.error %}autoclick{% endunless %}" href="{{ model.redirect_url }}">{% t Proceed to the pot %}</a>
`;

const swish = `<form method="post" autocomplete="on" action="process_swish">
  <input type="hidden" name="session_id" value="{{ model.session_id }}" />
  <label for="mobile">{% t Mobile number %}</label>
  <input type="tel" id="mobile" name="mobile" value="{{ model.mobile_number }}" placeholder="07XXXXXX">
  <button type="submit" class="btn">{% t Proceed %}</button>
</form>
`;

const auth = `<div id="3d_wait"><img class="icon-rotate" src="{{ images.cup.svg }}" alt=""> {% t The tea is being checked. Please wait... %}</div>
{% if model.method_url %}
<iframe class="hidden" name="threeDSMethodIframe"></iframe>
<form id="3ds_method_form" action="{{ model.method_url }}" method="post" target="threeDSMethodIframe">
  <input type="hidden" name="threeDSMethodData" value="{{ model.method_data }}"/>
</form>
{% endif %}
<form id="3ds_auth_form" action="{{ model.auth_url }}" method="post"></form>
`;

const challenge = `<iframe style="border:none;" height="400" width="390" name="challengeIframe"></iframe>
<form id="3ds_challenge_form" action="{{ model.acs_url }}" method="post" target="challengeIframe">
  <input type="hidden" name="creq" value="{{ model.creq }}"/>
</form>
`;

const state = (inner: string): string =>
  `<div class="tea-state" data-session-id="{{ model.session_id }}"><h3>${inner}</h3></div>\n`;

const error = `<div class="tea-state tea-spilt" data-session-id="{{ model.session_id }}">
  <h3>
    {% case model.error %}
    {% when "already_paid" %}{% t This tea is paid for. %}
    {% when "continue_to_shop" %}{% t Continue to the shop %}
    {% when "try_again" %}{% t Nobody knows what happened. %} {% t Please pour again. %}
    {% when "unable_to_complete" %}{% t No tea today %}
    {% when "secure_3d_auth_failed" %}{% t 3D Secure said no. %} {% t Please pour again. %}
    {% when "secure_3d_auth_failed_other_options" %}{% t 3D Secure said no. %} {% t Take another teapot. %}
    {% when "secure_3d_not_enrolled" %}{% t This card knows no 3D Secure. %}
    {% when "payment_link_changed" %}{% t The order of tea has changed meanwhile. %}
    {% when "payment_link_changed_link" %}{% t Click here to start over %}
    {% endcase %}
  </h3>
  {% if model.description %}<p class="why">{{ model.description }}</p>{% endif %}
  {% if model.retry %}<a class="btn" href="/{{ model.session_id }}/payment-method-undo">{% t Try again %}</a>{% endif %}
</div>
`;

const waiting = `<div class="tea-state" data-session-id="{{ model.session_id }}">
  {% if model.selected_payment_method == "swish" %}<h3>{% t Open Swish App %}</h3>
  {% else %}<h3>{% t The water is not boiling yet... %}</h3>
  <p><a href="{{ model.autorefresh_to }}">{% t Click here if it takes long %}</a>.</p>{% endif %}
</div>
`;

const deadline = `<div class="tea-state" data-session-id="{{ model.session_id }}">
  <h3>{% t The tea is cold %}</h3>
  {% if model.cancel_url %}<a href="{{ model.cancel_url }}">{% t Click here to continue %}</a>.{% endif %}
</div>
`;

const stylesheet = `.tea-house { background: #f4efe6 url(../images/leaf.svg) no-repeat; }
.tea-spilt { color: #902020; }
.sr-only { position: absolute; clip-path: inset(50%); }
.hidden { display: none; }
`;

const picture = (color: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 4"><path fill="${color}" d="M0 0h4v4H0z"/></svg>`;

/** What a Danish shopper reads. */
export const danish: Readonly<Record<string, string>> = {
  "Tea order": "Te-ordre",
  "Pay for your tea by card": "Betal din te med kort",
  "Pay for tea": "Betal te",
  "Card number": "Kortnummer",
  "The tea was spilt.": "Teen blev spildt.",
  "Please pour again.": "Hæld op igen.",
  "Three digits on the back, that's all.": "Tre cifre på bagsiden, det er det hele.",
  "This tea is paid for.": "Teen er betalt.",
  "Your tea is on its way": "Din te er på vej",
  "The tea is cold": "Teen er kold",
  "No tea today": "Ingen te i dag",
};

const po = (texts: Readonly<Record<string, string>>): string =>
  [
    'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Language: da_DK\\n"',
    ...Object.entries(texts).map(([id, text]) => `msgid ${JSON.stringify(id)}\nmsgstr ${JSON.stringify(text)}`),
    '#, fuzzy\nmsgid "Leave the tea house"\nmsgstr "Et gæt"',
  ].join("\n\n");

/** The same, compiled, for a language folder of its own. */
export const compiled = (texts: Readonly<Record<string, string>>): Buffer =>
  mo.compile({
    charset: "utf-8",
    headers: { "Content-Type": "text/plain; charset=UTF-8" },
    translations: {
      "": Object.fromEntries(Object.entries(texts).map(([msgid, text]) => [msgid, { msgid, msgstr: [text] }])),
    },
  });

export const danish_po = "locales/da_DK/LC_MESSAGES/branding.po";

/** By name, as they are put. */
export const original_branding: Readonly<Record<string, string | Buffer>> = {
  VERSION: "2.5.0\n",
  "config.json": JSON.stringify({
    title: "The tea house",
    enable_card_holder_field: true,
    enable_prefill_name: true,
    enable_3d_card_field: true,
    enable_amount_for_subscription: false,
    autojump: true,
    reservation_notice: "<em>Paid when the water boils</em>",
  }),
  "templates/layout.liquid": layout,
  "templates/layout_redirect.liquid": "{% include 'content' %}\n",
  "templates/order_info.liquid": order_info,
  "templates/footer.liquid": footer,
  "templates/selector.liquid": selector,
  "templates/payment_methods_list.liquid": payment_methods_list,
  "templates/form.liquid": form,
  "templates/form/error.liquid": form_error,
  "templates/form/card.liquid": form_card,
  "templates/form/mobilepay_online.liquid": mobilepay_online,
  "templates/form/swish.liquid": swish,
  "templates/form/3ds_auth.liquid": auth,
  "templates/form/3ds_challenge.liquid": challenge,
  "templates/waiting.liquid": waiting,
  "templates/success.liquid": state("{% t Your tea is on its way %}"),
  "templates/cancelled.liquid": state("{% t You have left the tea house %}"),
  "templates/deadline.liquid": deadline,
  "templates/error.liquid": error,
  "stylesheets/paymentwindow.css": stylesheet,
  "stylesheets/paymentwindow_redirect.css": "body { background: #f4efe6; }\n",
  "images/leaf.svg": picture("#060"),
  "images/cup.svg": picture("#842"),
  "images/ok-mark.svg": picture("#080"),
  "images/question-circle.svg": picture("#00c"),
  "images/cvd_help.png": png,
  [danish_po]: po(danish),
  "locales/de_DE/LC_MESSAGES/branding.mo": compiled({ "Pay for tea": "Tee bezahlen", "Tea order": "Teebestellung" }),
};
