import { AuthenticationError } from "@opencomputer/usage";
import { useState } from "preact/hooks";
import { Mark } from "./components/mark.js";
import { explain } from "./components/notice.js";
import { connect } from "./session.js";

interface Props {
  /** Why the reader has to sign in again. */
  readonly reason: string | undefined;
  readonly onSignIn: (key: string) => void;
}

/** Asks for an API key and checks it before it is kept. */
export function SignIn({ reason, onSignIn }: Props) {
  const [key, setKey] = useState("");
  const [problem, setProblem] = useState(reason);
  const [checking, setChecking] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setChecking(true);
    setProblem(undefined);
    try {
      await connect(key.trim()).tags.listKeys();
      onSignIn(key.trim());
    } catch (error) {
      const rejected = error instanceof AuthenticationError;
      setProblem(rejected ? "The server does not know this key." : explain(error as Error).text);
      setChecking(false);
    }
  };
  return (
    <main class="sign-in">
      <form class="card" onSubmit={submit}>
        <h1>
          <Mark /> Usage
        </h1>
        <p>See which team, environment or customer caused your sandbox spend.</p>
        <label>
          API key
          <input
            type="password"
            autocomplete="off"
            spellcheck={false}
            required
            value={key}
            aria-invalid={problem !== undefined}
            aria-describedby="sign-in-note"
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>
        {problem !== undefined && (
          <p class="fault" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" class="primary" disabled={checking || key.trim() === ""}>
          {checking ? "Checking…" : "Sign in"}
        </button>
        <p id="sign-in-note" class="muted">
          The key stays in this tab and is forgotten when you close it. An operator creates one with{" "}
          <code>opencomputer-usage-server keys create</code>.
        </p>
      </form>
    </main>
  );
}
