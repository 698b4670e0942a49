import { describe } from "vitest";
import { describeWaitingExchange } from "../conformance/exchange-waiting.ts";
import { setups } from "../support/setups.ts";

describe.each(setups())("what waits, by the exchange script over $name", describeWaitingExchange);
