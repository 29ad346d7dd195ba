// SPDX-License-Identifier: Apache-2.0
/* Serial pools: how far they are used up, and making one. */
import { useState } from "preact/hooks";
import { type Pool, answer, client } from "../core/api";
import { may } from "../core/session";
import { Icon } from "../ui/icons";
import { Empty, Panel, ProblemNote } from "../ui/parts";
import { poolChanges } from "./changes";
import { Pager, StateBadge, usePages } from "./parts";
import { PoolForm } from "./pool_form";

const PAGE = 20;
const MARKS = [70, 85, 95];

/** The usual marks are at the daemon's own percentages where the pool has none. */
function marksOf(pool: Pool): number[] {
  return pool.warn_percent?.length ? pool.warn_percent : MARKS;
}

function PoolUse({ pool }: { pool: Pool }) {
  const all = pool.issued + pool.left;
  const used = all > 0 ? pool.issued / all : 1;
  const words = `${pool.issued} of ${all} used, ${(100 * used).toFixed(1)} %; ${pool.left} left`;
  return (
    <li class="pool">
      <div class="pool-head">
        <strong>{pool.name}</strong> <span class="faint">{pool.kind}</span>
        {pool.state === "closed" ? <StateBadge state="closed" /> : null}
        <span class="grow" />
        {pool.warning !== null ? (
          <span class="badge warn">
            <Icon name="warning" /> {pool.warning} % used up
          </span>
        ) : null}
      </div>
      <div class="pool-bar" role="img" aria-label={`${pool.name}: ${words}`}>
        <span class={`pool-used${pool.warning !== null ? " pool-low" : ""}`} style={{ transform: `scaleX(${used})` }} />
        {marksOf(pool).map((mark) => (
          <span key={mark} class="pool-mark" style={{ left: `${mark}%` }} title={`${mark} %`} />
        ))}
      </div>
      <small>{words}</small>
    </li>
  );
}

export function Pools() {
  const [adding, setAdding] = useState(false);
  const pages = usePages(
    (cursor) =>
      answer(client.GET("/v1/serial-pools", { params: { query: { limit: PAGE, ...(cursor && { cursor }) } } })),
    [],
    poolChanges.value,
  );
  const add = may("createPool") ? (
    <button type="button" aria-expanded={adding} onClick={() => setAdding(!adding)}>
      {adding ? "Close" : "New pool…"}
    </button>
  ) : null;
  return (
    <Panel title="Serial pools" actions={add}>
      {adding ? (
        <PoolForm
          onMade={() => {
            setAdding(false);
            pages.again();
          }}
        />
      ) : null}
      <ProblemNote problem={pages.problem} />
      {pages.items?.length === 0 ? <Empty>None yet.</Empty> : null}
      <ul class="pools">
        {pages.items?.map((pool) => (
          <PoolUse key={pool.name} pool={pool} />
        ))}
      </ul>
      <Pager pages={pages} what="serial pools" />
    </Panel>
  );
}
