import { expect } from "vitest";
import type { RubyWorld } from "./ruby-world.ts";

/** A running resque-web. */
export interface ResqueWeb {
  readonly url: string;
  /** The HTML of a page; fails if it does not answer 200. */
  page(path: string): Promise<string>;
  /** Presses a button: what its form or link asks for. Fails unless the answer is a page, or leads to one. */
  press(path: string, form?: Readonly<Record<string, string>>): Promise<string>;
}

/** Starts resque-web, with the tabs of resque-scheduler and resque-retry, until the test's end. */
export async function startResqueWeb(world: RubyWorld): Promise<ResqueWeb> {
  const server = world.start(["web.rb"]);
  const url = `http://127.0.0.1:${await server.line()}`;
  const ask = async (path: string, init: RequestInit): Promise<string> => {
    const response = await fetch(`${url}${path}`, init);
    const html = await response.text();
    expect(response.status, `${path}: ${html.slice(0, 500)}\n${server.stderr}`).toBe(200);
    return html;
  };
  return {
    url,
    page: (path) => ask(path, {}),
    press: (path, form) => ask(path, form ? { method: "POST", body: new URLSearchParams(form) } : {}),
  };
}

/** What stands on a page, its tags and entities undone. */
export function textOf(html: string): string {
  const entities: Readonly<Record<string, string>> = {
    lt: "<",
    gt: ">",
    quot: '"',
    amp: "&",
    "#39": "'",
    "#x27": "'",
    "#x2F": "/",
  };
  return html
    .replace(/<[^>]*>/g, " ")
    .replace(/&(#?\w+);/g, (whole, name: string) => entities[name] ?? whole)
    .replace(/\s+/g, " ");
}
