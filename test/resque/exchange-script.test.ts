import { describe } from "vitest";
import { describeExchangeScript } from "../conformance/exchange-script.ts";
import { setups } from "../support/setups.ts";

describe.each(setups())("the exchange script over $name", describeExchangeScript);
