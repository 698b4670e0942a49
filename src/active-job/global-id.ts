import { UsageError } from "../core/errors.ts";

const GID = /^gid:\/\/([^/?#]+)\/([^/?#]+)\/([^?#]*)(?:\?([^#]*))?$/;

export interface GlobalIdParts {
  /** The Rails app's name. */
  readonly app: string;
  /** `Shop::Order` */
  readonly modelName: string;
  /** More than one for a model with a composite key. */
  readonly modelId: string | number | bigint | readonly (string | number | bigint)[];
  readonly params?: Readonly<Record<string, string>>;
}

/** How Rails names a record: `gid://shop/Order/17`. Ruby finds the record by it; here it stays the name. */
export class GlobalId {
  /** As Rails writes it. */
  readonly gid: string;
  readonly app: string;
  readonly modelName: string;
  /** Always text; a list for a model with a composite key. */
  readonly modelId: string | readonly string[];
  readonly params: Readonly<Record<string, string>>;

  /** @throws UsageError if the text is no Global ID */
  constructor(gid: string) {
    const [, app, modelName, path, query = ""] = GID.exec(gid) ?? [];
    const ids = (path ?? "")
      .split("/")
      .map(unescapeId)
      .filter((id) => id.trim() !== "");
    if (app === undefined || modelName === undefined || ids[0] === undefined) {
      throw new UsageError(`expected a Global ID, as gid://app/Order/17, got ${JSON.stringify(gid)}`);
    }
    this.gid = gid;
    this.app = app;
    this.modelName = modelName;
    this.modelId = ids.length === 1 ? ids[0] : ids;
    this.params = Object.fromEntries(new URLSearchParams(query));
  }

  /** @throws UsageError if a part is empty or holds what cannot stand in it */
  static of({ app, modelName, modelId, params = {} }: GlobalIdParts): GlobalId {
    const path = [modelId].flat().map((id) => escapeId(String(id).toWellFormed()));
    const query = new URLSearchParams(params).toString();
    return new GlobalId(`gid://${app}/${modelName}/${path.join("/")}${query === "" ? "" : `?${query}`}`);
  }

  toString(): string {
    return this.gid;
  }
}

/** As Ruby's CGI.unescape: what is wrongly escaped is no error. */
function unescapeId(text: string): string {
  return new URLSearchParams(`id=${text.replaceAll("&", "%26")}`).get("id") ?? "";
}

/** As Ruby's CGI.escape. */
function escapeId(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");
}
