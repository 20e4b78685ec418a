import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useErrorBoundary, useMemo, useRef, useState } from "preact/hooks";
import { Mark } from "./components/mark.js";
import { ErrorNotice } from "./components/notice.js";
import { Suggestions } from "./dimensions.js";
import { decodeSegment, Link, usePlace } from "./router.js";
import { SandboxesView } from "./sandboxes/list.js";
import { SandboxView } from "./sandboxes/sandbox.js";
import {
  connect,
  forgetKey,
  SessionContext,
  storeKey,
  takeFragmentKey,
  takeKey,
  useSession,
} from "./session.js";
import { SignIn } from "./sign-in.js";
import { ThemePicker } from "./theme.js";
import { UsageView } from "./usage/view.js";

/** The whole page: the sign-in, or the views below a header. */
export function App() {
  const [key, setKey] = useState(takeKey);
  const [reason, setReason] = useState<string>();
  const main = useRef<HTMLElement>(null);
  const hasSignedIn = useRef(false);
  const signIn = useCallback((key: string) => {
    hasSignedIn.current = true;
    storeKey(key);
    setReason(undefined);
    setKey(key);
  }, []);
  // A link with a key that is opened in this tab changes nothing but the fragment.
  useEffect(() => {
    const take = () => {
      const taken = takeFragmentKey();
      if (taken !== null) signIn(taken);
    };
    window.addEventListener("hashchange", take);
    return () => window.removeEventListener("hashchange", take);
  }, []);
  const session = useMemo(() => {
    if (key === null) return null;
    const signOut = (reason?: string) => {
      forgetKey();
      setReason(reason);
      setKey(null);
    };
    const client = connect(key);
    return { client, suggestions: new Suggestions(client), signOut };
  }, [key]);
  // Signing in removes the form that had the focus.
  useEffect(() => {
    if (session && hasSignedIn.current) main.current?.focus({ preventScroll: true });
  }, [session]);
  if (!session) return <SignIn reason={reason} onSignIn={signIn} />;
  return (
    // Nothing that was loaded with one key is shown with another.
    <SessionContext.Provider key={key} value={session}>
      <Header />
      <main id="main" ref={main} tabIndex={-1}>
        <Boundary>
          <View />
        </Boundary>
      </main>
    </SessionContext.Provider>
  );
}

/** Reports an error of its content, until another place is shown. */
function Boundary({ children }: { readonly children: ComponentChildren }) {
  const place = usePlace();
  const [error, reset] = useErrorBoundary();
  useEffect(reset, [place]);
  return error ? <ErrorNotice error={error} retry={reset} /> : children;
}

function View() {
  const { path } = usePlace();
  const [area, segment, ...rest] = path.split("/").slice(1);
  if (area === "") return <UsageView />;
  if (area === "sandboxes" && segment === undefined) return <SandboxesView />;
  const id = segment && decodeSegment(segment);
  if (area === "sandboxes" && id && rest.length === 0) return <SandboxView id={id} />;
  return (
    <div class="notice">
      <h1>Page not found</h1>
      <p>
        There is no page at <code>{path}</code>. <Link to="/">Go to usage</Link>
      </p>
    </div>
  );
}

function Header() {
  const { path } = usePlace();
  const { signOut } = useSession();
  return (
    <header class="header">
      <a class="skip" href="#main">
        Skip to content
      </a>
      <Link class="brand" to="/">
        <Mark />
        OpenComputer
      </Link>
      <nav aria-label="Views">
        <Link to="/" isCurrent={path === "/"}>
          Usage
        </Link>
        <Link to="/sandboxes" isCurrent={path.startsWith("/sandboxes")}>
          Sandboxes
        </Link>
      </nav>
      <ThemePicker />
      <button type="button" class="quiet" onClick={() => signOut()}>
        Sign out
      </button>
    </header>
  );
}
