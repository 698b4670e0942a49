import { describe } from "vitest";
import { describeDrainStore } from "../conformance/drain-store.ts";
import { setups } from "../support/setups.ts";

describe.each(setups())("the store of a drain over $name", describeDrainStore);
