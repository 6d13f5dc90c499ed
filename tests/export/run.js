// Answers questions about an exported page's model, or about recorded graphs, with the page's own library.
// Input: {"library": …, "model": …, "questions": […]} as JSON; output: the answers as JSON.
"use strict";

const { library, model: json, questions } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const { Model, generate, probabilities, program, tensor } = new Function(
  `${library}\nreturn { Model, generate, probabilities, program, tensor };`,
)();
const model = json && new Model(json);

const answers = {
  greedy: ({ prefix, length }) => generate(model, prefix, { temperature: 0, topP: 1, length, uniform: () => 0 }),
  next: ({ prefix }) => [...probabilities(model.after(model.encode(prefix).tokens).logits)],
  lacking: ({ text }) => model.encode(text).lacking,
  nucleus: ({ logits, temperature, p }) => [...probabilities(Float64Array.from(logits), temperature, p)],
  graph: ({ graph, given }) => {
    const tensors = given.map(({ shape, values }) => tensor(shape, Float64Array.from(values)));
    // Once with all arguments known before, once with none.
    const made = [program(graph)(tensors), program(graph, tensors)([])];
    return made.map((outputs) => outputs.map(({ shape, data }) => ({ shape, values: [...data].map(String) })));
  },
};
process.stdout.write(JSON.stringify(questions.map((question) => answers[question.ask](question))));
