// Every endpoint of the API, in the order of the reference.

import type { Endpoint } from "../api/endpoint.ts";
import type { Plans } from "../domain/plans.ts";
import type { SignupPolicy } from "../services/users.ts";
import { accessRequests } from "./access-requests.ts";
import { account, accounts } from "./accounts.ts";
import { acquirerEndpoints } from "./acquirers.ts";
import { activityEndpoints } from "./activity.ts";
import { agreementEndpoints } from "./agreements.ts";
import { brandingEndpoints } from "./brandings.ts";
import { callbackEndpoints } from "./callbacks.ts";
import { cards } from "./cards.ts";
import { cryptographyKeys } from "./cryptography-keys.ts";
import { currencyEndpoints } from "./currencies.ts";
import { exportEndpoints } from "./exports.ts";
import { feeEndpoints } from "./fees.ts";
import { fraudRulesets } from "./fraud-rulesets.ts";
import { logos } from "./logos.ts";
import { mailedTokens } from "./mailed-tokens.ts";
import { operationalStatus } from "./operational-status.ts";
import { paymentMethodPriority } from "./payment-method-priority.ts";
import { paymentOperations } from "./payment-operations.ts";
import { payments } from "./payments.ts";
import { payouts } from "./payouts.ts";
import { ping } from "./ping.ts";
import { planEndpoints } from "./plans.ts";
import { referenceEndpoints } from "./reference.ts";
import { requestEndpoints } from "./requests.ts";
import { sessions } from "./sessions.ts";
import { subscriptionGroups } from "./subscription-groups.ts";
import { subscriptions } from "./subscriptions.ts";
import { twoFactor } from "./two-factor.ts";
import { usersEndpoints } from "./users.ts";
import { versionEndpoints } from "./versions.ts";
import { zero4Platform } from "./zero4-platform.ts";

type Options = { readonly signup: SignupPolicy; readonly plans: Plans; readonly program_version: string };

export function endpointsOf({ signup, plans, program_version }: Options): readonly Endpoint[] {
  const endpoints: Endpoint[] = [
    ...ping,
    ...versionEndpoints,
    ...currencyEndpoints,
    ...operationalStatus,
    ...usersEndpoints({ signup }),
    ...twoFactor,
    ...mailedTokens(),
    ...sessions,
    ...accounts,
    ...account,
    ...planEndpoints(plans),
    ...logos,
    ...acquirerEndpoints,
    ...zero4Platform,
    ...payments,
    ...paymentOperations,
    ...subscriptions,
    ...subscriptionGroups,
    ...cards,
    ...payouts,
    ...brandingEndpoints,
    ...feeEndpoints,
    ...paymentMethodPriority,
    ...fraudRulesets,
    ...cryptographyKeys,
    ...callbackEndpoints,
    ...exportEndpoints,
    ...requestEndpoints,
    ...activityEndpoints,
  ];
  endpoints.push(
    ...agreementEndpoints(() => endpoints),
    ...accessRequests(() => endpoints),
    ...referenceEndpoints({ endpoints: () => endpoints, program_version }),
  );
  return endpoints;
}
