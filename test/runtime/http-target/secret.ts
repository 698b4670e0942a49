export const SECRET = "whsec_b25lIHNlY3JldCB0aGF0IGV2ZXJ5IGhvc3Qga25vd3M=";
