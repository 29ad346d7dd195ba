// SPDX-License-Identifier: Apache-2.0
export function RecipesPage() {
  return <h1>Recipes</h1>;
}
