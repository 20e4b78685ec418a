import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { UsageClient } from "@opencomputer/usage";
import { expect, test } from "vitest";
import { failure } from "./support/calls.js";

// The first connection of a process takes long on a busy machine.
const patient = { timeout: 30_000 };

test("a call is aborted at once while it connects, with the first reason", patient, async () => {
  // Never answers the handshake of TLS, which is a part of connecting.
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const controller = new AbortController();
  const reason = new Error("enough");
  const { port } = server.address() as AddressInfo;
  const client = new UsageClient({ apiKey: "oc_key", baseUrl: `https://127.0.0.1:${port}` });
  const call = failure(() => client.tags.listKeys({ signal: controller.signal }));
  const [socket] = (await once(server, "connection")) as [Socket];
  await once(socket, "data");
  controller.abort(reason);
  controller.abort(new Error("more than enough"));
  expect(await call).toBe(reason);
  // Node.js itself keeps the socket until its own timeout for connecting.
  socket.destroy();
  server.close();
  await once(server, "close");
});

test("a base URL may have an IPv6 address", patient, async () => {
  const hosts: unknown[] = [];
  const server = createHttpServer(({ headers }, answer) => {
    hosts.push(headers.host);
    answer.end('{"keys":[]}');
  }).listen(0, "::1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = new UsageClient({ apiKey: "oc_key", baseUrl: `http://[0:0::1]:${port}` });
  expect(await client.tags.listKeys()).toEqual([]);
  expect(hosts).toEqual([`[::1]:${port}`]);
  server.close();
});
