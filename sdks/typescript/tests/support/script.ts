import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";

/** The server's actions on one connection, after it has read a request. */
export interface Connection {
  /** The text to write; by default nothing. */
  answer?: string;
  /** The end of the connection; by default the server closes it. */
  end?: "reset" | "hold";
}

/** A TCP server that follows a script of `tests/vectors/transport.json`. */
export interface ScriptedServer {
  url: string;
  /** The method and target of every request that it read. */
  requests: string[];
  stop: () => Promise<void>;
}

/** Starts a server that takes one entry of the script for each connection. */
export async function startScript(script: readonly Connection[]): Promise<ScriptedServer> {
  const ahead = [...script];
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    readRequest(socket, (request) => {
      requests.push(request);
      const { answer = "", end } = ahead.shift() ?? {};
      if (end === "reset") socket.resetAndDestroy();
      else if (end === "hold") socket.write(answer);
      else socket.end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, stop };
}

/** Calls back with the method and target of the first request, once its body is there, too. */
function readRequest(socket: Socket, done: (request: string) => void): void {
  let text = "";
  const read = (data: Buffer) => {
    text += data.toString("latin1");
    const [head = "", body] = text.split("\r\n\r\n", 2);
    const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
    if (body === undefined || body.length < length) return;
    socket.off("data", read);
    done(head.split(" ", 2).join(" "));
  };
  socket.on("data", read);
}
