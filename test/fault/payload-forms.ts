/** What producers put into queues, good and bad. Each payload bears its number between two `#`, so that it is found anywhere. */
const FORMS: readonly ((id: number) => string)[] = [
  (id) => `{"class":"Job","args":["#${id}#",1.0,[],{},12345678901234567890,-0,"\\u2028<&>/"]}`,
  (id) => `{"class":"Job","queue":"a","args":["#${id}#","é漢🚀"]}`,
  (id) => `{ "args" : ["#${id}#"], "class" : "Other" }\n`,
  (id) => `{"class":"Job","args":["#${id}#","\\",\\"payload\\":{},\\"exception\\":"]}`,
  (id) => `{"class":"Job","args":["#${id}#","\uFFFD"]}`,
  (id) => `not json #${id}#`,
  (id) => `{broken #${id}#}`,
  (id) => `["#${id}#"]`,
  (id) => `"#${id}#"`,
  (id) => `{"class":1,"args":["#${id}#"]}`,
];

/** One form more than those above: bytes that are no UTF-8. */
export const FORM_COUNT: number = FORMS.length + 1;

export function payloadBytes(form: number, id: number): Buffer {
  const make = FORMS[form];
  if (make) return Buffer.from(make(id), "utf8");
  return Buffer.from(`{"class":"Job","args":["#${id}# \xff\xfe"]}`, "latin1");
}

/** The number in a payload, an entry or a failure; undefined if there is none. */
export function idIn(text: string): number | undefined {
  const digits = /#(\d+)#/.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

const CRASH_MARK = /,"airlift":\{"crashes":(\d+)\}\}$/;

/** How often a drain died with this payload, as its end says. */
export function crashesOf(payload: string): number {
  return Number(CRASH_MARK.exec(payload)?.[1] ?? 0);
}

/** Whether it is what its producer wrote, up to Airlift's member, before which white space at the end gives way. */
export function isUnchanged(payload: string, original: string): boolean {
  if (payload === original) return true;
  return crashesOf(payload) > 0 && payload.replace(CRASH_MARK, "}") === original.trimEnd();
}
