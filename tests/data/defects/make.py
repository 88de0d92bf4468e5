#!/usr/bin/env python3
"""Writes the labelled texts beside it: `python3 tests/data/defects/make.py`.

All texts were written for this project, by hand, or here from parts that were. `negatives.jsonl` has ordinary answers of
many kinds: none of them has any defect. The other files have texts with one defect, made after the shape of public
reports (docs/defects.md names them). A line may have a loop: `loop`, `times`, and what comes `after` it.
"""

import base64
import json
import random
from pathlib import Path
from typing import Any

Row = dict[str, Any]

FOLDER = Path(__file__).parent
rng = random.Random(20)


def write(name: str, rows: list[Row]) -> None:
    seen = set()
    with (FOLDER / name).open("w", encoding="utf-8") as file:
        for row in rows:
            line = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
            assert line not in seen, line
            seen.add(line)
            file.write(line + "\n")


def fenced(language: str, code: str, before: str = "Here it is:", after: str = "Tell me if you need a variant.") -> str:
    return f"{before}\n\n```{language}\n{code}\n```\n\n{after}"


# --------------------------------------------------------------------------------------------- ordinary answers
negatives: list[Row] = []


def add(kind: str, *texts: str) -> None:
    negatives.extend({"kind": kind, "text": text} for text in texts)


add(
    "prose",
    "The tide is caused by the moon's gravity, which pulls the water nearest to it a little more than the earth as a whole, and the far side a little less. That is why there are two high tides a day.",
    "Yes. A sourdough starter can be kept in the fridge for a week without feeding; take it out the evening before you bake, feed it twice, and it will be as lively as before.",
    "The short answer: use a queue. The long answer is that a queue decouples the two services, so that a slow consumer does not hold up the producer, and a restart of either loses nothing.",
    "Paris.",
    "No, 91 is not prime: it is 7 × 13.",
    "I would start with the index. A sequential scan over 40 million rows takes about as long as you describe, and the plan that you posted shows no index on `created_at`.",
    "Hello! How can I help you today?",
    "The novel is told by three voices. The first is the mother's, in letters; the second is the son's, years later; the third belongs to nobody, and only describes the house.\n\nEach voice contradicts the one before it, which is the point of the book.",
    "You can return the item within 30 days. Keep the receipt, and do not remove the label. If the box is damaged, take a picture before you send it.",
    "To remove a red wine stain: blot it, do not rub. Pour a little sparkling water on it, blot again, and cover it with salt for ten minutes. Then wash it as usual.",
    "Photosynthesis has two stages. In the light reactions, water is split and oxygen is released; in the Calvin cycle, carbon dioxide is bound into sugar.",
    'That depends on what you mean by "fast". If latency matters, prefer the smaller model. If throughput matters, prefer larger batches. If both matter, measure.',
    "The Treaty of Westphalia (1648) ended the Thirty Years' War. It did not invent the sovereign state, though it is often said to have done so.",
    "Certainly — here's a shorter version:\n\n> We have moved. From Monday on, you find us at 12 Harbour Street, second floor. The phone number stays the same.",
    "A monad is a way to chain computations that carry something along: a failure, a log, a state. The famous burrito adds nothing to that.",
    "Tighten the bolt by hand first. Then, with the torque wrench set to 12 Nm, tighten it until it clicks. Do not go further.",
    'He said, "I\'ll be there at eight," and she said, "You always say that." He was there at nine.',
    "The difference between *affect* and *effect*: you affect something, and the effect is what happens.",
    "42",
    "I don't know of any study that shows this. There are two small ones that come close (n = 18 and n = 31), and neither was controlled.",
    "Good question!! Really. It took people a long time to see that heat is not a substance... and longer to see what it is instead.",
    "Dear Ms Alvarez,\n\nthank you for your letter of 3 May. We have looked into the matter, and you are right: the amount was charged twice. It will be refunded within five working days.\n\nKind regards\nThe Accounts Team",
    "Step 1. Unplug the router.\nStep 2. Wait for ten seconds.\nStep 3. Plug it in again.\nStep 4. Wait until the light is green.",
    "Sure. In one sentence: the author argues that cities grow where two means of transport meet, because goods have to be unloaded there.",
    "The boiling point falls by about 1 °C for each 300 m of height. In Denver (1,600 m) water boils at roughly 95 °C; in La Paz (3,640 m) at about 88 °C.",
    "That will be 3 + 4 = 7 apples, of which 2 are eaten, so 5 are left.",
    "Both are fine. I'd pick the second, because it fails loudly.",
    "It's 3:45 pm in Lisbon and 8:15 pm in New Delhi (UTC+5:30).",
    "The film has no villain. It has a storm, a mortgage, and two people who do not talk to each other.",
    "Thank you for asking. As of my last update there were three candidates; please check a current source.",
)

add(
    "code",
    fenced(
        "python",
        "def fib(n: int) -> int:\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n\n\nprint([fib(n) for n in range(10)])",
    ),
    fenced(
        "python",
        'import re\n\nTAG = re.compile(r"<\\|([a-z_]+)\\|>")\n\ndef strip(text):\n    return TAG.sub("", text)  # removes <|im_end|> and the like',
    ),
    fenced(
        "python",
        "grid = [\n    [0, 0, 0, 0, 0, 0, 0, 0],\n    [0, 0, 0, 0, 0, 0, 0, 0],\n    [0, 0, 0, 0, 0, 0, 0, 0],\n    [0, 0, 0, 0, 0, 0, 0, 0],\n    [0, 0, 0, 0, 0, 0, 0, 0],\n    [0, 0, 0, 0, 0, 0, 0, 0],\n    [0, 0, 0, 0, 0, 0, 0, 0],\n    [0, 0, 0, 0, 0, 0, 0, 0],\n]",
    ),
    fenced(
        "rust",
        'fn main() {\n    let words = ["one", "two"];\n    let lengths: Vec<usize> = words.iter().map(|word| word.len()).collect();\n    println!("{lengths:?}");\n}',
    ),
    fenced(
        "rust",
        "impl<T> Stack<T> {\n    pub fn push(&mut self, item: T) {\n        self.items.push(item);\n    }\n\n    pub fn pop(&mut self) -> Option<T> {\n        self.items.pop()\n    }\n}",
    ),
    fenced(
        "go",
        'package main\n\nimport "fmt"\n\nfunc main() {\n\tch := make(chan int)\n\tgo func() { ch <- 1 }()\n\tfmt.Println(<-ch)\n}',
    ),
    fenced("go", 'for i, v := range xs {\n\tif v < 0 {\n\t\treturn fmt.Errorf("item %d: %w", i, ErrNegative)\n\t}\n}'),
    fenced(
        "c",
        "static const unsigned char table[64] = {\n    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,\n    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,\n    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,\n    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,\n    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,\n    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,\n};",
    ),
    fenced(
        "c",
        '#include <stdio.h>\n\nint main(void)\n{\n    int values[3] = {1, 2, 3};\n    for (int i = 0; i < 3; i++)\n        printf("%d\\n", values[i] << 1);\n    return 0;\n}',
    ),
    fenced(
        "cpp",
        "std::map<std::string, std::vector<int>> index;\nfor (const auto& [word, at] : words)\n    index[word].push_back(at);\nstd::cout << index.size() << '\\n';",
    ),
    fenced(
        "java",
        "public record Point(int x, int y) {\n    public Point plus(Point other) {\n        return new Point(x + other.x, y + other.y);\n    }\n}",
    ),
    fenced(
        "javascript",
        "const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));\n\nfor (const url of urls) {\n  await fetch(url);\n  await sleep(100);\n}",
    ),
    fenced(
        "typescript",
        'type Result<T> = { ok: true; value: T } | { ok: false; error: string };\n\nexport function parse(text: string): Result<number> {\n  const value = Number(text);\n  return Number.isNaN(value) ? { ok: false, error: "no number" } : { ok: true, value };\n}',
    ),
    fenced(
        "html",
        "<table>\n  <tr><td></td><td></td><td></td><td></td></tr>\n  <tr><td></td><td></td><td></td><td></td></tr>\n  <tr><td></td><td></td><td></td><td></td></tr>\n  <tr><td></td><td></td><td></td><td></td></tr>\n</table>",
    ),
    fenced(
        "css",
        ".card { margin: 0; padding: 0; border: 0; }\n.card + .card { margin-top: 1rem; }\n.card:hover { box-shadow: 0 0 4px #0003; }",
    ),
    fenced(
        "sql",
        "SELECT c.name, count(*) AS orders\nFROM customers c\nJOIN orders o ON o.customer_id = c.id\nWHERE o.created_at >= now() - interval '30 days'\nGROUP BY c.name\nHAVING count(*) > 3\nORDER BY orders DESC;",
    ),
    fenced(
        "sql", "\n".join(f"INSERT INTO users (id, name, role) VALUES ({i}, 'user{i}', 'guest');" for i in range(1, 25))
    ),
    fenced(
        "bash",
        'for f in *.log; do\n  gzip -9 "$f" && echo "$f done"\ndone\ncurl -s https://example.com | jq \'.[] | .name\'',
    ),
    fenced(
        "kotlin",
        'data class User(val name: String, val age: Int)\n\nfun main() {\n    val users = listOf(User("Ann", 31), User("Bo", 27))\n    println(users.maxByOrNull { it.age })\n}',
    ),
    fenced(
        "swift",
        'struct Counter: View {\n    @State private var count = 0\n    var body: some View {\n        Button("\\(count)") { count += 1 }\n    }\n}',
    ),
    fenced(
        "haskell",
        "primes :: [Int]\nprimes = sieve [2 ..]\n  where\n    sieve (p : xs) = p : sieve [x | x <- xs, x `mod` p /= 0]",
    ),
    fenced(
        "fsharp",
        'let total =\n    [ 1 .. 10 ]\n    |> List.map (fun x -> x * x)\n    |> List.sum\nprintfn "%d" <| total',
    ),
    fenced(
        "ruby",
        "class Stack\n  def initialize = @items = []\n  def push(item) = @items.push(item)\n  def pop = @items.pop\nend",
    ),
    fenced("php", "<?php\n$names = ['Ann', 'Bo'];\nforeach ($names as $i => $name) {\n    echo \"$i: $name\\n\";\n}"),
    fenced(
        "yaml",
        'services:\n  web:\n    image: nginx\n    ports: ["80:80"]\n  db:\n    image: postgres\n    volumes:\n      - data:/var/lib/postgresql/data\nvolumes:\n  data: {}',
    ),
    fenced(
        "dockerfile",
        'FROM python:3.12-slim\nWORKDIR /app\nCOPY requirements.txt .\nRUN pip install --no-cache-dir -r requirements.txt\nCOPY . .\nCMD ["python", "main.py"]',
    ),
    fenced("diff", "--- a/main.c\n+++ b/main.c\n@@ -1,4 +1,4 @@\n-int x = 0;\n+int x = 1;\n int y = 0;"),
    fenced(
        "lisp",
        "(defun fact (n) (if (<= n 1) 1 (* n (fact (- n 1)))))\n(print (mapcar (lambda (n) (fact n)) '(1 2 3 4 5)))",
    ),
    fenced("asm", "\n".join(["    nop"] * 40), "A sled for the exercise:"),
    fenced("matlab", "A = zeros(8);\nA(1:2:end, :) = 1;\nB = A' * A;\ndisp(B)"),
    fenced("python", "assert x == 1\n" * 30, "Thirty times, as you asked:"),
    fenced("text", "=" * 200 + "\n" + "-" * 200),
    "You can do it without a loop: `sum(x * x for x in xs)`. In Rust that is `xs.iter().map(|x| x * x).sum::<i32>()`.",
    'def greet(name):\n    print(f"Hello, {name}!")\n\nif __name__ == "__main__":\n    greet("world")',
    "int main() {\n    int a[5] = {0, 0, 0, 0, 0};\n    for (int i = 0; i < 5; ++i) {\n        a[i] = i * i;\n    }\n    return 0;\n}",
    "#!/bin/sh\nset -e\ncd /tmp\nfor i in 1 2 3; do\n  echo $i\ndone\n",
    '1. Install it:\n   ```bash\n   npm install left-pad\n   ```\n2. Use it:\n   ```js\n   leftPad("x", 3, "0")\n   ```\n3. Done.',
    "- First ```a``` then ```b```.\n- Then press Enter.\n- Then wait.",
)

names = ["Ann", "Bo", "Chen", "Dora", "Emil", "Fatima", "Goran", "Hana", "Ivo", "Jun"]
for size in (3, 6, 10, 20, 40):
    rows = "\n".join(
        f"| {i} | {rng.choice(names)} | {rng.randint(1, 99)} | {rng.choice(['yes', 'no'])} |" for i in range(size)
    )
    add("table", f"| # | name | points | passed |\n|---|---|---|---|\n{rows}\n")
add(
    "table",
    "| Mon | Tue | Wed | Thu | Fri | Sat | Sun |\n|-----|-----|-----|-----|-----|-----|-----|\n"
    + "|     |     |     |     |     |     |     |\n" * 6,
    "Here is an empty plan to fill in:\n\n"
    + "| Time | Task | Done |\n|------|------|------|\n"
    + "|      |      | [ ]  |\n" * 24
    + "\nPrint it twice.",
    "| a | b | a AND b |\n|---|---|---|\n| 0 | 0 | 0 |\n| 0 | 1 | 0 |\n| 1 | 0 | 0 |\n| 1 | 1 | 1 |",
    "| model | ok |\n|---|---|\n" + "".join(f"| m{i} | ✅ |\n" for i in range(30)),
    "Name       Age   City\n---------- ----- ----------\nAnn        31    Oslo\nBo         27    Rome\nChen       45    Xi'an\n",
    "+------+------+------+\n| a    | b    | c    |\n+------+------+------+\n"
    + "| 0.00 | 0.00 | 0.00 |\n" * 12
    + "+------+------+------+\n",
)

add(
    "poetry",
    "The river does not ask the stone\nto let it through; it waits, alone,\nand wears a door where none had been,\nand what was solid lets it in.",
    "Row, row, row the boat,\nsoftly down the bay,\nrow, row, row the boat,\nall the summer day.\n\nRow, row, row the boat,\nsoftly down the bay,\nrow, row, row the boat,\nthen we go away.",
    "**Chorus**\nOh, we sail, we sail, we sail away,\noh, we sail, we sail, we sail away,\noh, we sail, we sail, we sail away,\nuntil the break of day.\n\n**Verse 2**\nThe harbour lights are far behind,\nthe salt is in our hair.\n\n**Chorus**\nOh, we sail, we sail, we sail away,\noh, we sail, we sail, we sail away,\noh, we sail, we sail, we sail away,\nuntil the break of day.",
    "La la la la la, la la la la la,\nla la la, the summer's here again.\nLa la la la la, la la la la la,\nla la la, and gone is all the rain.",
    "Tick, tock, tick, tock, tick, tock, tick, tock,\nsays the old and patient clock.",
    "Na na na na, na na na na, hey hey, come back\nNa na na na, na na na na, hey hey, come back\nNa na na na, na na na na, hey hey, come back\n(fade out)",
    "Autumn moonlight —\na worm digs silently\ninto the rind.",
    "I will not run in the corridor.\nI will not run in the corridor.\nI will not run in the corridor.\n\nThree times is enough; now hand it in.",
    "Hush, hush, hush, says the sea to the sand.\nHush, hush, hush, says the sand to the land.\nHush, hush, hush, says the land to the hill.\nAnd the hill says nothing, and all is still.",
    "Ha ha ha ha ha! That is a good one. Ha ha ha!",
    "Ring, bell, ring!\nRing, bell, ring!\nRing for the winter,\nring for the spring!",
    "We shall go on to the end,\nwe shall go on by the sea,\nwe shall go on in the hills,\nwe shall go on and be free.",
    "Rain, rain, rain, rain, rain, rain, rain, rain on the roof;\nrain, rain, rain, rain, rain, rain, rain, rain on the hoof\nof the horse that waits by the door.",
    "The ants go marching one by one, hurrah, hurrah\n\nThe ants go marching two by two, hurrah, hurrah\n\nThe ants go marching three by three, hurrah, hurrah\n\nThe ants go marching four by four, hurrah, hurrah\n\nThe ants go marching five by five, hurrah, hurrah",
)

add(
    "list",
    "\n".join(
        f"- {fruit}"
        for fruit in ["apples", "pears", "plums", "figs", "dates", "limes", "grapes", "melons", "cherries", "peaches"]
    ),
    "1. Wake up\n2. Stretch\n3. Drink water\n4. Walk\n5. Read\n6. Work\n7. Eat\n8. Rest\n9. Walk\n10. Sleep",
    "- Fruit\n  - apple\n  - pear\n    - Williams\n    - Conference\n- Vegetables\n  - leek\n  - carrot",
    "\n".join(f"{i}. Question {i}: ______" for i in range(1, 21)),
    "To pack:\n" + "\n".join(f"- [ ] {thing}" for thing in ["passport", "charger", "socks", "book", "keys", "map"]),
    "\n".join(f"Day {day}: push-ups {10 + day}, squats {20 + day}, rest 60 s" for day in range(1, 31)),
    "\n".join(f"Day {day}: 20 push-ups, 30 squats, 1 minute of plank, rest" for day in range(1, 15)),
    "* one\n* two\n* three\n\n* * *\n\n* four\n* five",
    "**Pros**\n- cheap\n- fast\n- simple\n\n**Cons**\n- loud\n- heavy",
    "A–Z of birds: albatross, blackbird, crane, dove, eagle, finch, goose, heron, ibis, jay, kite, lark, magpie, nightjar, owl.",
    "\n".join(f"Chapter {i} {'.' * (60 - len(str(i)))} {i * 12}" for i in range(1, 16)),
    "Name: ____________________\nDate: ____________________\n\nName: ____________________\nDate: ____________________\n\nName: ____________________\nDate: ____________________\n\nName: ____________________\nDate: ____________________\n\nName: ____________________\nDate: ____________________\n",
    "The bingo card:\n" + "\n".join(" ".join(f"{rng.randint(1, 75):2}" for _ in range(5)) for _ in range(5)),
)

add(
    "json",
    json.dumps({"name": "Ann", "tags": ["a", "b"], "age": 31, "active": True, "note": None}),
    json.dumps({"weights": [0] * 120}),
    json.dumps({"mask": [True, False] * 60, "done": True}),
    json.dumps([[0.0] * 10] * 12, indent=1),
    json.dumps({"values": [None] * 80}),
    json.dumps(
        {"items": [{"id": i, "name": f"item {i}", "price": round(rng.random() * 90, 2)} for i in range(20)]}, indent=2
    ),
    json.dumps([{"x": 0, "y": 0, "z": 0} for _ in range(20)]),
    json.dumps({"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": []}}}}}}}}),
    json.dumps(
        {"template": "{{- if .Tools }}tools{{ end }}", "stop": ["<|im_end|>", "<|endoftext|>"], "temperature": 0.7}
    ),
    '{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Point","coordinates":[0,0]}},{"type":"Feature","geometry":{"type":"Point","coordinates":[0,0]}},{"type":"Feature","geometry":{"type":"Point","coordinates":[0,0]}}]}',
    json.dumps(
        {"translations": {"ru": "привет", "th": "สวัสดี", "ja": "こんにちは", "ar": "مرحبا", "el": "γεια"}},
        ensure_ascii=False,
    ),
    json.dumps({"board": [["", "", ""], ["", "X", ""], ["", "", "O"]], "next": "X"}),
)

add(
    "mathematics",
    "For all $x \\in \\mathbb{R}$ we have $\\sin^2 x + \\cos^2 x = 1$, so $\\int_0^{2\\pi} \\sin^2 x \\, dx = \\pi$.",
    "Let α, β and γ be the angles. Then α + β + γ = 180°, so γ = 180° − α − β.",
    "The area is A = πr², the circumference C = 2πr. With r = 3 cm: A ≈ 28.27 cm².",
    "sinα = a/c, cosα = b/c, tanα = a/b; for small α, sinα ≈ α.",
    "Δx·Δp ≥ ħ/2, and E = ħω with ω = 2πf. The wavelength λ = h/p.",
    "The resistor has 4.7 kΩ, the capacitor 10 μF, so τ = RC = 47 ms.",
    "\\[\n\\begin{pmatrix} 0 & 0 & 0 & 0 & 0 & 0 \\\\ 0 & 0 & 0 & 0 & 0 & 0 \\\\ 0 & 0 & 0 & 0 & 0 & 0 \\\\ 0 & 0 & 0 & 0 & 0 & 0 \\end{pmatrix}\n\\]",
    "∀ε>0 ∃δ>0: |x−a|<δ ⇒ |f(x)−f(a)|<ε. That is continuity at a.",
    "Σₖ₌₁ⁿ k = n(n+1)/2. For n = 100 this is 5050.",
    "μ ± 1σ has 68.3 % of the values, μ ± 2σ has 95.4 %, and χ² with k degrees of freedom has mean k.",
    "cos(α+β) = cosα·cosβ − sinα·sinβ; the Λ-CDM model has ΩΛ ≈ 0.69.",
    "x₁ = 2, x₂ = −3. Check: 2² + 2 − 6 = 0 ✓ and (−3)² − 3 − 6 = 0 ✓.",
    "$$\\frac{\\partial^2 u}{\\partial t^2} = c^2 \\nabla^2 u$$\n\nwhere $c$ is the speed of the wave and $\\nabla^2$ the Laplacian.",
    "Step 1: 12 × 12 = 144.\nStep 2: 144 × 12 = 1728.\nStep 3: 1728 × 12 = 20736.\nSo 12⁴ = 20736.",
    "1/7 = 0." + "142857" * 30 + "…, with a period of six digits.",
    "A googol is 1" + "0" * 100 + ".",
    "In ASCII the identity is\n\n1 0 0 0 0 0 0 0\n0 1 0 0 0 0 0 0\n0 0 1 0 0 0 0 0\n0 0 0 1 0 0 0 0\n0 0 0 0 1 0 0 0\n0 0 0 0 0 1 0 0\n0 0 0 0 0 0 1 0\n0 0 0 0 0 0 0 1\n",
)

add(
    "chinese",
    "你可以使用Docker部署这个服务。首先安装Docker，然后运行docker compose up命令，最后用curl检查端口8080是否可用。",
    "Python是一种解释型语言，适合初学者。它的语法简洁，社区庞大，常用于Web开发、数据分析和AI。",
    "人工智能（AI）正在改变医疗行业。例如，CT影像的自动识别可以帮助医生更早发现病变。",
    "好的，我来解释一下React的useState。它返回一个state变量和一个setState函数，调用后组件会重新渲染。",
    "推荐三本书：《百年孤独》、《活着》和《The Great Gatsby》。第三本可以读英文原版。",
    "我爱AI，也喜欢听周杰伦的歌。周末去唱卡拉OK，穿一件T恤就好。",
    "Kubernetes集群需要至少3个master节点。etcd使用Raft协议保证一致性，API Server负责处理请求。",
    "答案是42。",
    "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。",
    "错误信息`NullPointerException`说明对象为空。请检查`user.getName()`的调用。",
    "GPU显存不足时，可以减小batch size，或者使用gradient checkpointing。FP16训练也能节省约一半的显存。",
    fenced(
        "python",
        '# 计算平均值\ndef mean(values):\n    return sum(values) / len(values)\n\nif __name__ == "__main__":\n    print(mean([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]))\n    print("完成")',
        "下面是代码：",
        "运行后会输出平均值。",
    ),
    "哈哈哈哈哈哈，这个笑话真不错！再来一个吧。",
    "HTTP状态码：200表示成功，301表示永久重定向，404表示未找到，500表示服务器内部错误。",
    "模型有时会输出<think>标签，这时需要在parser里去掉它。",
    "在ChatML格式里，“<|im_start|>”表示一条消息的开始，“<|im_end|>”表示结束。",
    "我们公司用的是SAP和Salesforce，CRM数据每天凌晨2点同步到Snowflake，然后BI团队用Tableau做报表。",
    "明天北京多云转晴，最高气温26°C，PM2.5指数为良。",
)
add(
    "japanese",
    "Dockerを使うと、環境の差を気にせずにアプリを動かせます。まずDockerfileを書いて、docker buildを実行してください。",
    "東京タワーの高さは333メートルです。スカイツリーは634メートルなので、およそ1.9倍です。",
    "ReactのuseEffectは、レンダリングの後に実行されます。依存配列が空なら、一度だけです。",
    "はい、できます。ｗｗｗ\n\nTシャツとＣＤを持って来てください。",
    "古池や蛙飛びこむ水の音",
    "ドドドドドドドド……という音が近づいてきた。ゴゴゴゴゴゴゴゴ。",
    "Pythonでは、リスト内包表記が便利です。例えば[x * 2 for x in range(5)]のように書きます。",
    "あああああっ！と叫んで、彼は走り出した。",
    "ありがとうございます。お問い合わせの件ですが、担当者より折り返しご連絡いたします。",
    "LINEとTwitter（現X）のどちらでも連絡できます。URLはhttps://example.jp/です。",
)
add(
    "korean",
    "Python으로 웹 크롤러를 만들려면 requests와 BeautifulSoup를 설치하세요. 그런 다음 HTML을 파싱하면 됩니다.",
    "안녕하세요! 무엇을 도와드릴까요?",
    "ㅋㅋㅋㅋㅋㅋㅋㅋ 정말 재미있네요. ㅠㅠㅠㅠ",
    "API를 호출할 때는 헤더에 Authorization을 넣어야 합니다. 토큰이 만료되면 401 오류가 납니다.",
    "서울의 인구는 약 940만 명이고, 부산은 약 330만 명입니다.",
    "大韓民國은 한자로 쓴 대한민국입니다. 요즘은 한글만 씁니다.",
    "React의 useState는 상태 값과 setter 함수를 돌려줍니다. Next.js에서도 똑같이 씁니다.",
    "첫째, 물을 끓인다. 둘째, 면을 넣는다. 셋째, 4분 동안 기다린다. 넷째, 달걀을 넣는다.",
)
add(
    "russian",
    "Для установки используйте Docker Compose: команда docker compose up запустит PostgreSQL и Redis. Порт 5432 должен быть свободен.",
    "API-запрос возвращает JSON-объект с полями id и name. Если токен истёк, сервер ответит кодом 401.",
    "Вчера я закоммитил фикс в master и смержил PR. Теперь нужно обновить README и выкатить релиз.",
    "Python'ом удобно пользоваться для скриптов, а Rust'ом — для системного кода. Коммит'ы лучше делать маленькими.",
    "Владелец «Тесла» Илон Маск переименовал Twitter в X. Компания SpaceX запустила Starship.",
    "IT-компании, USB-кабели, Wi-Fi-роутеры, PDF-файлы, e-mail-рассылки: всё это пишут через дефис.",
    "Скачайте файл с сайта example.com, распакуйте архивом 7-Zip и запустите setup.exe от имени администратора.",
    "Ахахахахахаха, отличная шутка! Ещё одну?",
    "Я вас любил: любовь ещё, быть может, в душе моей угасла не совсем.",
    "ЯндексGPT и СберChat — это российские модели. ВКонтакте раньше называли просто VK.",
    "Температура плавления вольфрама — 3422 °C, железа — 1538 °C, свинца — 327 °C.",
    "Гитом пользуются все, а вот svn'ом почти никто. Команда git rebase переписывает историю.",
    "Слово «computer» пришло из английского, а «шлагбаум» — из немецкого (Schlagbaum).",
    "Ответ: 42.",
    "Кубернетес (k8s) управляет контейнерами. Pod'ы живут на node'ах, а Deployment следит за их числом.",
)
add(
    "slavic and greek",
    "Київ — столиця України. Метро має три лінії, а найглибша станція — «Арсенальна» (105 м).",
    "България е член на ЕС от 2007 г. Столицата е София, а валутата е евро от 2026 г.",
    "Београд је главни град Србије. Реке Сава и Дунав се ту спајају.",
    "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας. Το Wi-Fi στο ξενοδοχείο είναι δωρεάν, με κωδικό guest2024.",
    "Η εντολή git push στέλνει τα commits στο GitHub. Το API επιστρέφει JSON.",
    "Το «καλημέρα» σημαίνει good morning.",
)
add(
    "right to left",
    "يمكنك استخدام Python لتحليل البيانات. ثبّت مكتبة pandas بالأمر pip install pandas ثم شغّل البرنامج.",
    "عاصمة فرنسا هي باريس، وعدد سكانها حوالي 2.1 مليون نسمة.",
    "هذا الـAPI يعيد JSON، والـtoken صالح لمدة ساعة.",
    "בירת ישראל היא ירושלים. אפשר לכתוב את זה בPython או בJavaScript, לפי הצורך.",
    "ה-API מחזיר JSON. בGitHub יש דוגמה, וב-README יש הסבר.",
    "שלום! איך אפשר לעזור?",
    "پایتخت ایران تهران است. برای نصب از دستور npm install استفاده کنید.",
)
add(
    "south and southeast asia",
    "भारत की राजधानी नई दिल्ली है। Python में list और tuple दोनों होते हैं, और दोनों का index 0 से शुरू होता है।",
    "आप GitHub पर अपना code डाल सकते हैं। Websiteको खोलने के लिए browserमें URL लिखें।",
    "বাংলাদেশের রাজধানী ঢাকা। Facebookএ লগইন করতে পাসওয়ার্ড লাগবে।",
    "ประเทศไทยมี 77 จังหวัด ใช้Pythonเขียนโปรแกรมได้ง่ายมาก และใช้APIของLINEส่งข้อความได้",
    "สวัสดีครับ มีอะไรให้ช่วยไหมครับ 555555",
    "தமிழ்நாட்டின் தலைநகரம் சென்னை. Android போனில் WhatsApp நிறுவலாம்.",
    "ភ្នំពេញជារាជធានីនៃកម្ពុជា។ ប្រើWiFiបានដោយឥតគិតថ្លៃ។",
    "მე მიყვარს საქართველო. API-ის პასუხი არის JSON.",
    "Հայաստանի մայրաքաղաքը Երևանն է։ Կարող եք օգտագործել GitHub-ը։",
    "አዲስ አበባ የኢትዮጵያ ዋና ከተማ ናት።",
)
add(
    "european",
    "Die Hauptstadt von Österreich ist Wien. Für die Straße brauchst du eine Vignette, sonst gibt es eine Strafe von 120 €.",
    "Le café est fermé le lundi. L'œuvre complète tient en 24 volumes; « c'est long », dit-il.",
    "¿Dónde está la estación? Está a 300 m, cerca del mercado. ¡Buen viaje!",
    "A reunião é às 15h. Não se esqueça de trazer o relatório e as credenciais do VPN.",
    "Il treno parte alle 7:05 dal binario 3. È consigliabile prenotare: d'estate è sempre pieno.",
    "Zażółć gęślą jaźń. To zdanie zawiera wszystkie polskie litery ze znakami diakrytycznymi.",
    "Příliš žluťoučký kůň úpěl ďábelské ódy.",
    "Türkiye'nin başkenti Ankara'dır. İstanbul'un nüfusu yaklaşık 15,7 milyondur.",
    "Hà Nội là thủ đô của Việt Nam. Phở bò là món ăn nổi tiếng, thường được ăn vào buổi sáng.",
    "Stockholm är Sveriges huvudstad. Tunnelbanan har hundra stationer.",
    "A főváros Budapest. A Duna választja el Budát és Pestet.",
    "Helsinki on Suomen pääkaupunki. Hyvää päivää!",
    "Lietuvos sostinė yra Vilnius, Latvijos – Rīga, Eesti pealinn on Tallinn.",
    "De hoofdstad van Nederland is Amsterdam, maar de regering zit in Den Haag.",
)
add(
    "teaching a language",
    'In Thai, "hello" is สวัสดี (sawasdee). Men add ครับ (khrap), women ค่ะ (kha): สวัสดีครับ, สวัสดีค่ะ.',
    'The Russian word for "friend" is друг (drug), the plural is друзья (druz\'ya). Note that it is irregular.',
    '"Thank you" in ten languages: gracias, merci, danke, спасибо, 谢谢, ありがとう, 감사합니다, شكرا, धन्यवाद, ขอบคุณ.',
    "你好 (nǐ hǎo) means hello; 再见 (zàijiàn) means goodbye. The second character of 你好 is 好, good.",
    "The Greek alphabet: Α α alpha, Β β beta, Γ γ gamma, Δ δ delta, Ε ε epsilon, Ζ ζ zeta.",
    'In Japanese, the particle は is read wa: 私は学生です (watashi wa gakusei desu), "I am a student".',
    "The Arabic root ك-ت-ب has to do with writing: كتاب is a book, كاتب a writer, مكتبة a library.",
    "Hebrew is written from right to left: שלום is shalom, תודה is toda.",
    'The word "naïve" has a diaeresis; so does "Noël". "Façade" has a cedilla, "piñata" a tilde.',
    '한국어 means "Korean"; 영어 means "English". The polite ending is -요: 안녕하세요, 감사해요.',
    "The Cyrillic letter Ж is written zh: Жуков is Zhukov. Щ is shch: борщ is borshch.",
    "The tea ceremony (茶道, sadō) was shaped by Sen no Rikyū (千利休) in the 16th century.",
    "Namaste is written नमस्ते. The line on top is called shirorekha (शिरोरेखा).",
    "Tokyo (東京), Kyoto (京都) and Osaka (大阪) are linked by the Shinkansen (新幹線).",
    "Word of the day: хюгге? No — *hygge*, which is Danish. The Russian spelling, хюгге, came later.",
    "π is the first letter of περίμετρος, perimeter. Euler made it popular.",
    "| English | Russian | Greek |\n|---|---|---|\n| bread | хлеб | ψωμί |\n| water | вода | νερό |\n| sun | солнце | ήλιος |",
    'The IPA of "thing" is /θɪŋ/, of "mother" /ˈmʌðər/, of "beige" /beɪʒ/.',
    "Mixed names: the band Ленинград, the singer Цой, the film Левиафан (Leviathan, 2014).",
)
add(
    "emoji",
    "Great job! 🎉🎉🎉 You did it 💪",
    "⬛⬛🟩⬛🟨\n⬛🟩🟩⬛⬛\n🟩🟩🟩🟩🟩",
    "Weather: ☀️ 24°C · Wind: 💨 12 km/h · Rain: ☔ 0 mm",
    "⭐⭐⭐⭐⭐ – 5 of 5, would recommend ❤️",
    "👨‍👩‍👧‍👦 is a family joined by zero-width joiners; 🏳️‍🌈 is a flag and a rainbow.",
    "🟦" * 10 + "\n" + ("🟦" + "⬜" * 8 + "🟦\n") * 8 + "🟦" * 10,
    "1️⃣ Boil the water\n2️⃣ Add the tea ☕\n3️⃣ Wait 3 minutes ⏳",
    "🎵 La la la 🎵 … and so on 😂😂😂😂😂😂😂😂😂😂",
)
secret = bytes(rng.randrange(256) for _ in range(240))
add(
    "encoded",
    "The picture, in base64:\n\n" + base64.b64encode(secret).decode(),
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ" + "A" * 90 + "C0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=",
    "-----BEGIN CERTIFICATE-----\n"
    + "\n".join(base64.b64encode(bytes(rng.randrange(256) for _ in range(48))).decode() for _ in range(10))
    + "\n-----END CERTIFICATE-----",
    "SHA-256: " + secret[:32].hex(),
    "AAAA" * 30 + "==",
    "UUIDs: "
    + ", ".join(
        f"{rng.getrandbits(32):08x}-{rng.getrandbits(16):04x}-4{rng.getrandbits(12):03x}-a{rng.getrandbits(12):03x}-{rng.getrandbits(48):012x}"
        for _ in range(5)
    ),
    "%E3%81%82%E3%81%84%E3%81%86 is あいう, percent-encoded.",
    "Morse: ... --- ... / ... --- ... / ... --- ... (SOS, three times)",
    "01001000 01100101 01101100 01101100 01101111 is Hello in binary. 00000000 00000000 00000000 00000000 is four zero bytes.",
)
add(
    "log",
    "\n".join(
        f"2026-11-{d:02} 10:{d:02}:07 INFO request id={rng.getrandbits(24)} status=200 time={rng.randint(1, 99)}ms"
        for d in range(1, 21)
    ),
    "\n".join(f"[{i:04}] GET /health 200" for i in range(40)),
    "The log says:\n\n```\n" + "connection refused, retrying in 1 s\n" * 30 + "```\n\nSo the server is not up.",
    "Jan 02 host sshd[1]: Accepted key for ann\nJan 02 host sshd[1]: session opened\nJan 02 host sshd[1]: session closed\n",
    "WARN retry 1/5\nWARN retry 2/5\nWARN retry 3/5\nWARN retry 4/5\nWARN retry 5/5\nERROR giving up",
    'Traceback (most recent call last):\n  File "a.py", line 3, in f\n    return f(n - 1)\n  File "a.py", line 3, in f\n    return f(n - 1)\n  File "a.py", line 3, in f\n    return f(n - 1)\n  [Previous line repeated 996 more times]\nRecursionError: maximum recursion depth exceeded',
    "$ ping -c 4 host\n64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.3 ms\n64 bytes from 10.0.0.1: icmp_seq=2 ttl=64 time=0.4 ms\n64 bytes from 10.0.0.1: icmp_seq=3 ttl=64 time=0.3 ms\n64 bytes from 10.0.0.1: icmp_seq=4 ttl=64 time=0.4 ms",
    "test a ... ok\ntest b ... ok\ntest c ... ok\ntest d ... ok\ntest e ... ok\n\ntest result: ok. 5 passed",
    "progress: [##########----------] 50 %\nprogress: [################----] 80 %\nprogress: [####################] 100 %",
)
add(
    "drawing",
    "```\n  /\\_/\\\n ( o.o )\n  > ^ <\n```",
    " _____\n|     |\n|  o  |\n|_____|\n\nThat is a washing machine.",
    "*\n**\n***\n****\n*****\n******\n*******\n********\n*********\n**********",
    ("#" * 40 + "\n") + ("#" + " " * 38 + "#\n") * 12 + "#" * 40,
    "~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n      the sea\n~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~",
    "┌──────────┬──────────┐\n│ a        │ b        │\n├──────────┼──────────┤\n│ 1        │ 2        │\n└──────────┴──────────┘",
    "r n b q k b n r\np p p p p p p p\n. . . . . . . .\n. . . . . . . .\n. . . . . . . .\n. . . . . . . .\nP P P P P P P P\nR N B Q K B N R",
    "e|-----------------|\nB|-----------------|\nG|-----------------|\nD|--2--2--2--2-----|\nA|--2--2--2--2--3--|\nE|--0--0--0--0--3--|",
    "            *            \n           ***           \n          *****          \n         *******         \n            |            ",
    "Maze:\n" + "\n".join("".join(rng.choice("#  ") for _ in range(30)) for _ in range(12)),
)
add(
    "rules",
    "# Title\n\n---\n\nFirst part.\n\n---\n\nSecond part.\n\n---\n\nThird part.",
    "Title\n" + "=" * 90 + "\n\nText.\n\nSubtitle\n" + "-" * 90 + "\n\nMore text.",
    "***\n\nScene one.\n\n***\n\nScene two.\n\n***",
    "─" * 100 + "\nSummary\n" + "─" * 100 + "\nAll tests passed.",
    "# " + "=" * 78 + "\n# Settings\n# " + "=" * 78 + "\n",
    "Sign here: " + "_" * 120,
    "Introduction" + "." * 100 + "3\nMethods" + "." * 105 + "17\nResults" + "." * 105 + "41",
    "Left" + " " * 90 + "right",
    "End of part one.\n" + "\n" * 20 + "Part two.",
    "* * * * * * * * * * * * * * * * * * * * * * * * * * * * * * * * * * * * * * * * * *\n\nThe end.",
)
add(
    "numbers",
    ", ".join(str(n) for n in range(1, 300)),
    ", ".join(str(n) for n in range(2, 300) if all(n % d for d in range(2, n))),
    "π ≈ 3.14159265358979323846264338327950288419716939937510582097494459230781640628620899",
    " ".join(str(2**n) for n in range(40)),
    "\n".join(f"{a} × {b} = {a * b}" for a in range(1, 11) for b in range(1, 11)),
    "\n".join(" ".join(f"{rng.random():.4f}" for _ in range(8)) for _ in range(20)),
    "Rolls: " + " ".join(str(rng.randint(1, 6)) for _ in range(200)),
    "Coin flips: " + "".join(rng.choice("HT") for _ in range(200)),
    "0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597",
    "0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, … and so on without an end.",
)
add(
    "sequences",
    ">seq1\n" + "\n".join("".join(rng.choice("ACGT") for _ in range(60)) for _ in range(8)),
    "The repeat in Huntington's disease looks like " + "CAG" * 42 + ", that is, 42 times.",
    "ATG" + "".join(rng.choice("ACGT") for _ in range(90)) + "TAA" + "A" * 120,
    "MKT" + "".join(rng.choice("ACDEFGHIKLMNPQRSTVWY") for _ in range(120)),
    "The telomere: " + "TTAGGG" * 20 + "…",
    "".join(f"{i * 16:08x}  " + " ".join(f"{rng.randrange(256):02x}" for _ in range(16)) + "\n" for i in range(12)),
    "".join(f"{i * 16:08x}  " + "00 " * 16 + "\n" for i in range(12)),
    "ff " * 128,
    '48 65 6c 6c 6f 0a is "Hello" and a line feed.',
)
add(
    "csv",
    "id,name,points\n" + "\n".join(f"{i},{rng.choice(names)},{rng.randint(0, 100)}" for i in range(30)),
    "a,b,c,d\n" + "0,0,0,0\n" * 40,
    "time,value\n" + "\n".join(f"{h:02}:00,NaN" for h in range(24)),
    "x;y;z\n" + "null;null;null\n" * 20,
    "date,open,close\n"
    + "\n".join(f"2026-01-{d:02},{rng.randint(90, 110)},{rng.randint(90, 110)}" for d in range(1, 29)),
    "name,mon,tue,wed,thu,fri\n" + "\n".join(f"{name},yes,no,yes,no,yes" for name in names),
)
add(
    "markup",
    "<ul>\n" + "".join(f"  <li>Item {i}</li>\n" for i in range(1, 25)) + "</ul>",
    "<table>" + ("<tr>" + "<td>0</td>" * 8 + "</tr>") * 8 + "</table>",
    '<div class="board">\n' + '  <div class="cell"></div>\n' * 64 + "</div>\n",
    '<svg viewBox="0 0 10 10">' + "".join(f'<circle cx="{i}" cy="{i}" r="1"/>' for i in range(10)) + "</svg>",
    "<p>One<br><br>Two<br><br>Three<br><br>Four</p>",
    '<?xml version="1.0"?>\n<notes>\n  <note><to>Ann</to><from>Bo</from></note>\n  <note><to>Bo</to><from>Ann</from></note>\n</notes>',
    "Old price: <s>20 €</s> new price: 15 €. Old date: <s>3 May</s>",
    "<details><summary>More</summary>\n\nHidden text.\n\n</details>",
    "\\begin{tabular}{lll}\n" + "a & b & c \\\\\n" * 6 + "\\end{tabular}",
    "<answer>42</answer>",
    "Use <kbd>Ctrl</kbd>+<kbd>C</kbd> to copy and <kbd>Ctrl</kbd>+<kbd>V</kbd> to paste.",
)
add(
    "about templates",
    "The `<think>` tag opens the reasoning, and `</think>` closes it. Everything after it is the answer.",
    "In ChatML each message begins with `<|im_start|>` and ends with `<|im_end|>`.",
    "A ChatML prompt looks like this:\n\n```\n<|im_start|>system\nYou are helpful.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n```\n\nThe model writes until it emits `<|im_end|>`.",
    "Llama 2 wraps the instruction in `[INST]` and `[/INST]`; Llama 3 uses `<|start_header_id|>` and `<|eot_id|>`.",
    'Set the stop sequences to "<|im_end|>" and "<|endoftext|>", or the model will go on.',
    "DeepSeek's template uses full-width bars: `<｜User｜>` and `<｜Assistant｜>`, and `<｜end▁of▁sentence｜>` at the end.",
    "The <think> tag is not part of the answer; strip it before you show the text.",
    "Mistral's tokenizer has special tokens such as [INST], [/INST] and [TOOL_CALLS]; they are never split.",
    'Qwen emits a call as `<tool_call>{"name": "f", "arguments": {}}</tool_call>`, Hermes style.',
    "Which token ends a turn?\n\n| model | token |\n|---|---|\n| Qwen | <|im_end|> |\n| Llama 3 | <|eot_id|> |\n| Gemma | <end_of_turn> |",
    "- `<bos>`: the beginning\n- `<eos>`: the end\n- `<pad>`: fills up\n- `<unk>`: unknown",
    "BERT puts [CLS] at the front and [SEP] between two sentences; [MASK] stands for what it has to guess, and [PAD] fills up.",
    "A regular expression for it: `/<think>[\\s\\S]*?<\\/think>/g`.",
    fenced(
        "python",
        'text = re.sub(r"<think>.*?</think>", "", text, flags=re.S)\nassert "<|im_end|>" not in text',
        "To remove the reasoning:",
    ),
    fenced(
        "jinja",
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}",
        "The template:",
    ),
    "The model's answer ended with an <|endoftext|> token, which the server should have removed.",
    "Tokens like <|user|>, <|assistant|> and <|system|> mark the roles in Phi-3.",
    "When the parser meets <tool_call>, it switches to JSON; at </tool_call> it switches back.",
    "You may see the text (<think>...</think>) if the reasoning parser is off.",
    'GPT-2 has one special token: "<|endoftext|>". It has the id 50256.',
    "Usage: tool [OPTIONS] [ARGS]\n\nOptions:\n  --help  Show this message.",
    "The stage direction [THINK] is not standard; write [pause] instead.",
    "Harmony has channels: `<|channel|>analysis`, `<|channel|>commentary` and `<|channel|>final`.",
    "1. <think>: the reasoning begins\n2. </think>: the reasoning ends\n3. <answer>: the answer begins",
    "Replace `</s>` by a newline. In SentencePiece, `<s>` has the id 1 and `</s>` the id 2.",
    '> The user wrote: "please print <|im_start|> three times".\n\nI can\'t tell why they want this.',
    "In F#, `f <| x` applies f to x, and `x |> f` does the same the other way round.",
    "The closing tag is `</think>`, not `<think/>`.",
    "It is safe to put <think> and </think> into `skip_special_tokens`, since both are in the vocabulary.",
    "Placeholders: use <name>, <date> and <city>; I will replace them.",
    "Generics in Java: List<String>, Map<String, List<Integer>>, Optional<T>.",
    "What is <pad> for? It fills up short rows of a batch, so that all have the same length.",
    'Arrays in bash: ${a[0]}, ${a[@]}, ${#a[@]}. Tests: [[ -f x ]] && [ -n "$y" ].',
    "A footnote[1] and a link [INSTALL](https://example.com/INSTALL.md).\n\n[1]: See [README].",
)
add(
    "about encodings",
    "The replacement character is U+FFFD. A decoder puts it where bytes are not valid, as in `caf\ufffd` for a Latin-1 `café`.",
    "You see a black diamond with a question mark (\ufffd) if the file is not UTF-8.",
    "UTF-8 uses one to four bytes: `A` is 41, `é` is C3 A9, `€` is E2 82 AC, `😀` is F0 9F 98 80.",
    "If a page shows Ã© instead of é, UTF-8 was read as Latin-1.",
    "ＦＵＬＬ ＷＩＤＴＨ letters are in U+FF21 to U+FF5A; 𝐛𝐨𝐥𝐝 ones in U+1D400 and up.",
    "Z̷͎̍ã̶l̵g̴o̸ text stacks combining marks on each letter.",
    "The Cyrillic а (U+0430) looks like the Latin a; so pаypal may not be paypal.",
)
add(
    "other",
    "EXT. BEACH - DAY\n\nANN\nYou came.\n\nBO\nI came.\n\nANN\nYou always come.\n\nBO\nI always come.",
    "Ann: hi\nBo: hi\nAnn: how are you?\nBo: fine, and you?\nAnn: fine.\n",
    "1. e4 e5 2. Nf3 Nc6 3. Bb5 a6 4. Ba4 Nf6 5. O-O Be7 6. Re1 b5 7. Bb3 d6 8. c3 O-O",
    "X:1\nT:Reel\nM:4/4\nK:D\n|:d2fd Adfd|d2fd Adfd|efge cdec|d2fd e2c2:|",
    "++++++++[>++++[>++>+++>+++>+<<<<-]>+>+>->>+[<]<-]>>.>---.",
    "graph TD; A-->B; B-->C; C-->A;",
    "Ingredients: 200 g flour, 2 eggs, 1 pinch of salt.\n\nMix, rest, fry. Serve with jam.",
    "Buffalo buffalo Buffalo buffalo buffalo buffalo Buffalo buffalo is a correct sentence.",
    "No no no no, that is not what I meant. I meant: yes, yes, and yes!",
    "Very, very, very, very, very long ago, in a land far, far, far away, there was a frog.",
    "breathe in … 2 … 3 … 4 … hold … 2 … 3 … 4 … breathe out … 2 … 3 … 4 …",
    "Aaaaaaaaaaaaaaaaaah! I see it now!!!!!!!! Nooooooooooo…",
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna aliqua.",
    "OM MANI PADME HUM\nOM MANI PADME HUM\nOM MANI PADME HUM\n\nThe mantra is said 108 times; these are the first three.",
    "[00:01] intro\n[00:15] verse\n[00:45] chorus\n[01:10] verse\n[01:40] chorus\n[02:05] bridge\n[02:30] chorus\n[03:00] outro",
    "left, right, left, right, left, right, left, right, and halt!",
    "-- \nAnn Example\nHead of Nothing\n+1 555 0100",
    "127.0.0.1 localhost\n::1 localhost\n0.0.0.0 ads.example.com\n0.0.0.0 track.example.com",
    "key=value\nother=\n\n[section]\nflag = true\npath = C:\\Users\\ann",
    'The password rules: at least 12 characters, one of !@#$%^&*(), no "aaaa" or "1234".',
    "git log --oneline | head -3\na1b2c3d Fix\nd4e5f6a Fix\n0718293 Fix",
    "O O O O O\n O O O O\nO O O O O\n O O O O\nthe peg board",
    "Say it with me: red lorry, yellow lorry, red lorry, yellow lorry, red lorry, yellow lorry.",
)

# Ordinary long answers, from parts.
openers = [
    "Let's go through it.",
    "Here is a plan.",
    "In short:",
    "There are a few options.",
    "It depends on the load.",
]
topics = {
    "caching": [
        "Keep hot keys in memory.",
        "Set a time to live that matches how often the data change.",
        "Measure the hit rate before and after.",
        "Beware of stampedes: let one request refresh the entry, and let the others wait.",
    ],
    "gardening": [
        "Water in the morning, not at noon.",
        "Mulch keeps the soil moist and the weeds away.",
        "Prune in late winter, before the sap rises.",
        "Rotate the beds: beans after cabbage, cabbage after beans.",
    ],
    "interviews": [
        "Read the job description twice.",
        "Prepare three stories, each with a problem, what you did, and how it ended.",
        "Ask about the team, not only about the pay.",
        "Sleep well.",
    ],
    "sailing": [
        "Check the forecast and the tide.",
        "Everybody wears a life jacket.",
        "Reef early: it is easier to shake a reef out than to put one in.",
        "Tell somebody ashore when you expect to be back.",
    ],
    "statistics": [
        "Plot the data first.",
        "Say what you will test before you look.",
        "Report the interval, not only the p-value.",
        "With many comparisons, some will look significant by chance.",
    ],
    "writing": [
        "Cut the first paragraph.",
        "Prefer verbs to nouns.",
        "Read it aloud.",
        "Let it rest for a day, and cut again.",
    ],
}
for topic, points in topics.items():
    for opener in openers:
        chosen = rng.sample(points, len(points))
        body = "\n".join(f"{i}. **{point.split()[0]}**: {point}" for i, point in enumerate(chosen, 1))
        add(
            "long answer",
            f"{opener}\n\n## About {topic}\n\n{body}\n\n---\n\n"
            + " ".join(rng.sample(points, 2))
            + f" That is all on {topic}.",
        )

# --------------------------------------------------------------------------------------------- repetition
repetition: list[Row] = []


def loop(kind: str, text: str, unit: str, times: int, after: str = "") -> None:
    repetition.append({"kind": kind, "text": text, "loop": unit, "times": times, "after": after})


start = "To answer your question, I first have to look at the data. "
for unit, times in [("!", 64), ("!", 300), ("！", 80), ("?", 500), ("e", 128), ("的", 200), ("ा", 90), ("\\", 0)]:
    if times:
        loop("one character", rng.choice(["", start]), unit, times)
words = [
    ("Other; ", 60),
    ("not called ", 200),
    ("court ", 900),
    ("the the ", 80),
    ("and ", 150),
    ("$this ", 70),
    ("I ", 200),
    ("yes, yes, ", 40),
    ("и ", 120),
    ("是的，", 60),
    ("はい、", 50),
    ("very ", 40),
    ("data data ", 30),
    ("error: ", 64),
    ("system ", 24),
]
for unit, times in words:
    loop("a word", rng.choice(["", start, "The list of categories is: "]), unit, times)
sentences = [
    "I'm sorry, I made a mistake. ",
    "Let me check this again. ",
    "The function returns a value. ",
    "Wait, let me reconsider the problem. ",
    "Let's run. Let's execute. Let's call. ",
    "我知道了，我再试一次。",
    "Я не могу ответить на этот вопрос. ",
    "Es tut mir leid, das weiß ich nicht. ",
    "The capital of France is Paris, and the capital of Germany is Berlin, and so on. ",
    "So the answer is 12. But wait, is it 12? ",
    "申し訳ありませんが、もう一度お試しください。",
    "In conclusion, the results show that the method works. ",
    "다시 한번 확인해 보겠습니다. ",
    "As an example, consider a list of three items: a, b and c. ",
    "The user wants a summary, so I should write a summary. ",
]
for sentence in sentences:
    for times in (5, 8, 30):
        if len(sentence.encode()) * times >= 200 and (times > 5 or len(sentence.encode()) * times >= 330):
            loop("a sentence", rng.choice(["", start, "First, some background.\n\n"]), sentence, times)
lines = [
    "- Improve the quality of the data\n",
    "1. Open the file\n2. Read the file\n3. Close the file\n",
    "Thank you for your help!\n\n",
    "## Step\n\nRepeat the step before.\n\n",
    "count: deploy.\n\ncount: 部署。\n\n",
    "**Note:** the value must not be empty.\n",
    "Q: What is it?\nA: It is a test.\n\n",
    "* Der Wert ist gültig.\n",
]
for line in lines:
    for times in (10, 25, 80):
        loop("lines", rng.choice(["", start + "\n\n"]), line, times, rng.choice(["", line[: len(line) // 2]]))
paragraph = (
    "The second reason is cost. A larger cache needs more memory, and memory is the most expensive part of the machine; so the gain must be weighed "
    "against the price, month by month, and for each of the services that use it.\n\n"
)
loop("a paragraph", start, paragraph, 5)
loop("a paragraph", start, paragraph, 12, paragraph[:90])
loop("a paragraph", "", "### Summary\n\n" + paragraph + "- cost\n- memory\n\n", 6)
loop(
    "a paragraph",
    start,
    "该方案的第二个问题是成本。更大的缓存需要更多的内存，而内存是整台机器中最昂贵的部分，因此必须逐月权衡收益与价格，并且对每个使用它的服务分别计算，最后再决定是否扩容。\n",
    6,
)
loop(
    "a paragraph",
    start,
    "def helper(value):\n    return value + 1\n\nThis function adds one to the value, as described above, and returns it to the caller.\n\n",
    9,
)
loop("ended by itself", start, "I will now write the file. ", 60, "\n\nThe file is written.")
loop("ended by itself", start, "Hmm, ", 200, "okay, the answer is 7.")
loop("ended by itself", "", "Therefore, the final answer is 5.\n", 40, "\nDone.")
loop("ended by itself", start, "!", 400, " The rest of the answer is here.")
loop("json", '{"categories": ["', "Other; ", 80)
loop("json", '{"name": "Ann"', "\n", 400)
loop("json", '{"name": "Ann", ', " \n\t", 300)
loop("json", '{"items": [{"a": 1', "}]", 200)
loop("json", '{"text": "', "The text is not readable. ", 30, '"}')
loop("json", '{"name": "x"}', "\t", 700)
loop("code", "```python\nx = 1\n", "x = x + 1\n", 300)
loop("code", "```html\n<div>\n", '<div class="row"></div>\n', 200)
loop("numbers", "The value is 1", "0", 3000)
loop("numbers", "0.", "142857", 400)
loop("other", "The sequence is ", "andandandand", 120)
loop("other", start, "😀 ok ", 40)
loop("other", start, "Ġthe", 90)

# --------------------------------------------------------------------------------------------- control tokens
tokens: list[Row] = []


def token(kind: str, *texts: str) -> None:
    tokens.extend({"kind": kind, "text": text} for text in texts)


ends = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|endoftext|>",
    "<|end|>",
    "<end_of_turn>",
    "<｜end▁of▁sentence｜>",
    "<|end_of_text|>",
    "<|return|>",
    "<|eom_id|>",
    "<|END_OF_TURN_TOKEN|>",
    "<|end_of_box|>",
    "</s>",
]
answers = [
    "The capital of France is Paris.",
    "It is 42",
    "Sure! Here you go:\n\n- one\n- two",
    "**Yes**",
    "你好，很高兴见到你。",
    "```python\nprint(1)\n```",
    "Ответ: 12",
]
for i, end in enumerate(ends):
    token("end of turn", answers[i % len(answers)] + end)
token(
    "end of turn",
    "Paris.<|im_end|>\n<|im_start|>user\nAnd Germany?<|im_end|>\n<|im_start|>assistant\nBerlin.",
    "It's 7.<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nIt's 7.",
    "Done. <|im_end|>",
    "The total is 12 €.\n<|im_end|>",
    "I have updated the file.<|endoftext|>Human: thanks\n\nAssistant: you're welcome",
    "def f():\n    return 1\n<|endoftext|>",
    '{"city": "Paris"}<|im_end|>',
    "Of course!</s></s></s></s>",
    "Voilà la réponse.<|im_end|><|im_end|>",
    "Office Environment:<unused6226><unused6226> a quiet room with two desks.",
    "The answer<pad><pad><pad><pad>",
    "Hello [PAD][PAD][PAD][PAD][PAD]",
    "Here it is.<0x0A><0x0A>Second line.",
    "Great question.<end_of_turn>\n<start_of_turn>user\nThanks",
    "<|begin_of_box|>42<|end_of_box|>",
    "The picture shows a cat.<|vision_end|>",
    "The result is 4.<｜end▁of▁sentence｜><｜User｜>",
    "<s>[INST] What is it? [/INST] It is a test.",
    "[INST] Please answer. [/INST]\nSure.",
    "It is a test. [/INST]",
    "<<SYS>>\nYou are helpful.\n<</SYS>>\n\nHello!",
    "Bonjour ! Comment puis-je vous aider ?<|end|><|user|>",
    "[gMASK]<sop>你好",
    "The sum is 10<|endoftext|> and the product is 24.",
)
token(
    "reasoning",
    "<think>\nOkay, the user wants a capital.\n</think>\n\nParis.",
    "<think>Okay, so I need to find the sum.</think>The sum is 12.",
    "<think>\n\n</think>\n\nHello! How can I help?",
    "Okay, the user asks for a poem. I'll write one.\n</think>\n\nThe moon is high.",
    "First I add both numbers, then I divide.</think>\n\n**7**",
    "首先，用户想知道首都。\n</think>\n\n巴黎。",
    "Let me think about it. The date is a Monday.\n\n</think>\n\nMonday.",
    "  <think> The user said hi. I say hi.",
    "</think>\n\nThe answer is 4.",
    "[THINK]The user wants a number.[/THINK]12",
    "Lint passes.<|sep|><|open|>tools",
    "The plan is fine.\n<think>\nWait, is it?\n</think>",
    "好的，用户问的是天气。</think>今天晴。",
    "<seed:think>Got it, let me see.</seed:think>Sure.",
)
token(
    "call",
    '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>',
    'Let me look that up.\n<tool_call>{"name": "search", "arguments": {"q": "x"}}</tool_call>',
    'I\'ll check. <tool_call>\n{"name": "f"}',
    '[TOOL_CALLS][{"name": "get_time", "arguments": {}}]',
    'Sure.[TOOL_CALLS] [{"name": "get_time"}]',
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather",
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{}",
    "<|channel|>analysis<|message|>The user wants the weather.<|end|><|start|>assistant<|channel|>final<|message|>Sunny.",
    "Sunny.<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{}",
    '<|python_tag|>get_weather(city="Oslo")',
    "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n</tool_call>",
    "I will call it now.\n\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n</function>\n</tool_call>",
    '<|tool_call>call:get_time{city:<|"|>Paris<|"|>}<tool_call|>',
    '<minimax:tool_call>\n<invoke name="f">\n</invoke>\n</minimax:tool_call>',
    '<｜DSML｜tool_calls>\n<｜DSML｜invoke name="f">',
    "Here's the file:\n</tool_call>",
    '<tool_response>\n{"ok": true}\n</tool_response>\nDone.',
    "The weather is nice.<|tool_call_end|>",
    '<function_calls>\n<invoke name="read">',
    'Okay, I\'ll use the tool.<|action_start|><|plugin|>\n{"name": "f"}',
    '<|open|>toolscall tool="read" index="1"<|sep|>',
)
for name in [
    "get_weather<|channel|>commentary",
    "functions.search<|constrain|>json",
    "<tool_call>read",
    "get_time<|message|>",
    "run</tool_call>",
    "assistant<|channel|>analysis",
    "<|tool_call_begin|>f",
    "search<｜tool▁sep｜>",
    "[TOOL_CALLS]f",
    'f<|"|>',
]:
    tokens.append({"kind": "name of a tool", "name": name})

# --------------------------------------------------------------------------------------------- mixed script
mixed: list[Row] = []


def mix(kind: str, *texts: str) -> None:
    mixed.extend({"kind": kind, "text": text} for text in texts)


english = [
    "To reset the password, open the settings and choo{} the option at the bottom of the page.",
    "The server answers within two seconds, but the respon{} is not cached, so the next call is as slow.",
    "I checked the logs and found that the deploy{} failed because the disk was full.",
    "You should first preheat the oven, then mix{} the flour with the eggs and the sugar.",
    "A good introduct{} says what the text is about, and why the reader should care.",
    "The algorithm sorts the items by weight and then select{} the first ten of them.",
    "In the next step we compare both version{} and keep the one with fewer errors.",
    "Please make sure that the environ{} variable is set before you start the program again.",
]
bits = [
    ("thai", ["สวัสดี", "ความ", "ที่เป็น", "การ"]),
    ("cyrillic", ["ение", "ность", "ировать", "ами"]),
    ("arabic", ["ستان", "ختيار", "مرات"]),
    ("hebrew", ["ירה", "מות", "כלל"]),
    ("devanagari", ["करना", "में", "होता"]),
    ("han", ["架构", "选择题", "环境变量"]),
    ("hangul", ["하세요", "입니다"]),
    ("kana", ["します", "テスト"]),
    ("georgian", ["ების"]),
    ("armenian", ["ություն"]),
    ("greek", ["ματος", "ισμός"]),
    ("bengali", ["করা"]),
    ("tamil", ["கள்"]),
    ("tibetan", ["བོད་"]),
    ("khmer", ["ការណ៍"]),
]
at = 0
for kind, parts in bits:
    for part in parts:
        mix(kind, english[at % len(english)].format(part))
        at += 1
mix(
    "two places",
    "The first optionสวัสดี is cheap, and the second оптimal one is fast; I would takeключ the first.",
    "Open the filesystemการ and run the scanner; it will listความ all the broken links it finds.",
)
mix(
    "inside a word",
    "The configuraцииtion file is in the home folder, and it is read once, at the start.",
    "We then norสวัสดีmalise the values, so that each row has the length one.",
    "The benchकरनाmark takes ten minutes on a laptop with four cores and 16 GB.",
    "It was an unexpecмостьted result, since both groups had the same size and age.",
)
mix(
    "other languages",
    "Corriger la détection des nouveaux用 avant la prochaine version, puis vérifier les journaux.",
    "Vérifier les modifications du workכלל avant de publier la nouvelle version du site.",
    "Die Datei wird beim Start geladeнный, danach liest das Programm die Einstellungen und beginnt.",
    "El servidor respondeความ en menos de dos segundos, pero no guarda los resultados en la memoria.",
    "O relatório mostra que as vendasที่ subiram doze por cento no último trimestre do ano.",
    "Il file di configurazioneのです si trova nella cartella principale e viene letto una volta.",
    "Tệp cấu hình được đọc một lần khi khởi động, sau đó chương trìnhкоторый bắt đầu làm việc.",
    "Raport pokazuje, że sprzedażสวัสดี wzrosła o dwanaście procent w ostatnim kwartale roku.",
    "Dosya bir kez okunur ve programเป็น ayarları bellekte tutar, bu yüzden yeniden başlatmak gerekir.",
    "Rapporten visar att försäljningenключение ökade med tolv procent under det sista kvartalet.",
)
mix(
    "in Russian",
    "Сервер отвечает за две секунды, но ответ не кэшируетсяสวัสดี, поэтому следующий запрос такой же медленный.",
    "Откройте настройки и выберите параметр внизу страниtions, затем сохраните изменения и перезапустите программу.",
    "Алгоритм сортирует элементы по весу, а потом выбира或者说 первые десять из них и выводит их на экран.",
    "Хороший вводный абзац говорит, о чём текст, и почему читателю это должно быть интересnostью важно.",
    "Убедитесь, что переменная окруженияการ задана до того, как вы снова запустите программу.",
    "Отчёт показывает, что продажи выросли на двенадцать процентов в последнем кварталहोता года.",
)
mix(
    "in Greek",
    "Ο διακομιστής απαντά σε δύο δευτερόλεπτα, αλλά η απάντησηสวัสดี δεν αποθηκεύεται στη μνήμη.",
    "Το αρχείο ρυθμίσεων διαβάζεται μία φορά κατά την εκκίνησηность και μετά μένει στη μνήμη.",
)
mix(
    "soup",
    "The output mixed่ำ rate engan and theที่ nieuwste stage of theпоры pipeline was ready for the laagзами test run today.",
    "It is aboutความ and thenность about hereการ in the middle of an otherwise plain English sentence, twice.",
)
mix(
    "short",
    "Keep the LAN架构 as it is; only the router needs an update.",
    "That is correctสวัสดี!",
    "Yes, the functionность works.",
    "Restart the serverความ now, please.",
)
mix("long", "\n\n".join(topics["caching"]) + "\n\n" + english[1].format("สวัสดี") + "\n\n" + "\n".join(topics["writing"]))
mix(
    "long",
    "## Plan\n\n"
    + "\n".join(f"- {p}" for p in topics["sailing"])
    + "\n\n"
    + english[2].format("ность")
    + "\n\n```python\nprint(1)\n```\n",
)
mix("long", "| a | b |\n|---|---|\n| 1 | 2 |\n\n" + english[5].format("करना") + " " + " ".join(topics["statistics"]))

# --------------------------------------------------------------------------------------------- a second round
# Written after the rules, without a look at them.
for unit, times in [("G", 300), ("@", 150), ("?", 90), ("。", 70), ("😂", 100), ("嗯", 75), ("z", 70), ("ě", 80)]:
    loop("one character", rng.choice(["", start, "Sure, "]), unit, times)
for unit, times in [
    ("I don't know. ", 12),
    ("Please wait. ", 9),
    ("and so on, ", 14),
    ("The cat sat on the mat. ", 10),
    ("step by step ", 11),
    ("pour le client, ", 10),
    ("para la empresa y ", 9),
    ("ok ok ok ", 20),
    ("好的好的", 20),
    ("ครับ", 30),
    ("и так далее, ", 10),
    ("The quick brown fox jumps over the lazy dog near the river bank. ", 6),
    ("ありがとう。", 16),
    ("Let me think about this problem in a different way, because the first way did not work. ", 4),
    ("다음과 같습니다: ", 12),
    ("return return ", 20),
    ("ABC-123 ", 30),
    ("lorem ", 25),
]:
    loop(
        "words again",
        rng.choice(["", start, "The report has three parts.\n\n"]),
        unit,
        times,
        rng.choice(["", unit[: len(unit) // 2]]),
    )
for unit, times in [
    ("- The first point is clear.\n", 12),
    ("The value of x is 3.\n\n", 14),
    ("* item\n", 40),
    ("| the same | row |\n\nAnd again:\n\n", 30),
    ("Human: hi\nAssistant: hi\n", 20),
    ("5. Check the log.\n", 20),
    ("### Answer\n\nThe answer is yes.\n\n### Question\n\nIs it so?\n\n", 8),
    ("print the result\n", 25),
]:
    loop("lines again", rng.choice(["", start + "\n\n"]), unit, times)
loop(
    "a long sentence",
    "",
    "We therefore recommend that the committee postpone the decision until the figures for the third quarter are known, and that it ask the auditors for a second opinion in the meantime, at no extra cost. ",
    7,
)
loop(
    "a long line",
    start,
    "As described in the section above, the service reads its settings from the environment, then from the file that is named there, and at last from the defaults, in this order, and each of them may be overridden on the command line by an option of the same name, as the next section shows. ",
    5,
)

head, tail = "The capital of France", " is Paris, and the capital of Italy is Rome."
token(
    "in the middle",
    *[
        head + t + tail
        for t in [
            "<|im_end|>",
            "<|eot_id|>",
            "<|endoftext|>",
            "<｜end▁of▁sentence｜>",
            "<|channel|>",
            "<end_of_turn>",
            "<|tool_call_end|>",
        ]
    ],
)
token(
    "in the middle",
    head + " <|im_end|>" + tail,
    head + " <|endoftext|> " + tail.strip(),
    'I will now read the file<tool_call>\n{"name": "read"}',
    "That is the plan.</think>I'll start with the tests.",
)
token(
    "again",
    "Hola, ¿en qué puedo ayudarte?<|im_end|>",
    "Guten Tag!<|eot_id|>",
    "The files are:\n- a.txt\n- b.txt<|im_end|>",
    "| a | b |\n|---|---|\n| 1 | 2 |\n<|im_end|>",
    "1. One\n2. Two\n<|end|>",
    "See https://example.com/<|im_end|>",
    "Use `ls -l`.<|im_end|>",
    '"To be or not to be"<|endoftext|>',
    "So x = 4.\n\n<|endoftext|>",
    "(see above)<|im_end|>",
    "价格是100元<|im_end|>",
    "こんにちは。<end_of_turn>",
    "<|im_start|>assistant\nHello!",
    "<|assistant|>\nHello!",
    "assistant<|end_header_id|>\n\nHello!",
    "<bos><start_of_turn>model\nHi",
    "<think>\n",
    "</think>",
    "<think></think>\n\nHi.",
    "Hmm.\n\n</think>\n\n## Answer\n\n4",
    "◁think▷ is not it, but this is:\n</think>\nYes.",
    "[/INST] The answer is 4.",
    '[TOOL_CALLS]get_weather[ARGS]{"city": "Oslo"}',
    "OK.\n\n<tool_calls>\n<tool_call>\n",
    "Let me check the weather.\n\n<function=get_weather>\n",
    "<tool_call>\n<function=read>\n<parameter=path>\na\n",
    "<unk><unk><unk>",
    "ok<|reserved_special_token_12|>",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi",
    "A nice day<unused49><unused49><unused49><unused49>",
    "<pad><pad><pad><pad><pad><pad>",
    "Ja.<|return|>",
    "Text<|fim_suffix|>more",
    "It's done.<｜tool▁calls▁end｜>",
)
add(
    "about templates again",
    "DeepSeek-R1 wraps its reasoning in <think> and </think> tags, and Qwen3 does the same.",
    "Does your server strip `<|im_end|>`? If not, set `skip_special_tokens` to true.",
    "The template has three roles. A system message begins with `<|im_start|>system`, a user message with `<|im_start|>user`, and so on.",
    "* `[INST]` … `[/INST]`: the instruction\n* `<<SYS>>` … `<</SYS>>`: the system prompt, inside the first instruction",
    'A tool call in Hermes format:\n\n```xml\n<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>\n```',
    'Why do I see "</think>" in the output? Because the chat template already adds "<think>" to the prompt.',
    '`tokenizer.convert_tokens_to_ids("<|endoftext|>")` returns 151643 for Qwen.',
    "To test the parser, send a message that contains '<|im_start|>' and check that it is escaped.",
    "The special tokens (<|user|>, <|assistant|>, <|end|>) are listed in `added_tokens.json`.",
    "Gemma uses **<start_of_turn>** and **<end_of_turn>**; there is no system role.",
    "模型的对话模板使用 `<|im_start|>` 和 `<|im_end|>`，推理内容放在 `<think>` 与 `</think>` 之间。",
    "Die Marken `<think>` und `</think>` umschließen die Überlegungen, sie gehören nicht zur Antwort.",
    '```json\n{\n  "stop": ["<|im_end|>", "</s>"],\n  "template": "<|im_start|>user\\n{prompt}<|im_end|>"\n}\n```',
    "    <|im_start|>user\n    Hi<|im_end|>\n\nThe block above is indented, so it is code.",
    "See the vLLM docs on `--reasoning-parser`. With it, what stands before `</think>` is moved to `reasoning_content`.",
    "Question: what does <|endoftext|> mean? It is the token that separates documents in the training data.",
    "| token | id |\n|---|---|\n| `<s>` | 1 |\n| `</s>` | 2 |\n| `[INST]` | 3 |",
    "BERT input: [CLS] the cat [SEP] sat [SEP]. T5 marks gaps with `<extra_id_0>`, `<extra_id_1>` and so on.",
    'Shell: cat <file >out; test 1 -lt 2 && echo "<ok>". In HTML write &lt;think&gt; to show the tag.',
    "XML: <config><think>true</think><pad>4</pad></config>",
)
add(
    "refrains again",
    "Oh when the night comes down on me,\noh when the night comes down on me,\noh when the night comes down on me,\noh when the night comes down on me.",
    "Clap, clap, clap your hands, clap your hands together!\nStamp, stamp, stamp your feet, stamp your feet together!\nNod, nod, nod your head, nod your head together!",
    "Hey ho, hey ho, hey ho, hey ho,\nthe wind it blows, the ships they go.\nHey ho, hey ho, hey ho, hey ho,\nthe wind it drops, the ships they stop.",
    "Sleep, my little one, sleep.\n" * 4,
    "[Chorus x4]\nFire in the hole, fire in the sky\n" * 2,
    "Alleluia, alleluia, alleluia, alleluia!",
    "Doo doo doo doo doo doo\nBaby seal, doo doo doo doo doo doo\nMama seal, doo doo doo doo doo doo\nPapa seal, doo doo doo doo doo doo\nGrandma seal, doo doo doo doo doo doo",
    "Never, never, never, never, never give up.",
)
add(
    "mixed again",
    "Le mot grec λόγος a donné « logique ». Le mot russe спутник veut dire « compagnon de route ».",
    "Команда «npm run build» собирает проект, а «npm test» запускает тесты. См. README.md и CONTRIBUTING.md.",
    "Ключевые слова: machine learning, deep learning, LLM, RAG, fine-tuning, prompt-инжиниринг, open-source-модели.",
    "今天的stand-up会议改到10:30，请大家提前更新Jira上的ticket，谢谢！",
    "在Windows上按Ctrl+C复制，按Ctrl+V粘贴；在macOS上用Command键。",
    "iPhone15とGalaxyS24を比べると、バッテリーはほぼ同じです。価格はiPhoneの方が高いです。",
    "Python의 list comprehension은 [x for x in range(10)]처럼 씁니다. Java에는 없습니다.",
    'The sign said «Осторожно, двери закрываются», which means "Caution, the doors are closing".',
    "Σωκράτης (Socrates), Πλάτων (Plato) and Ἀριστοτέλης (Aristotle).",
    "Mandarin has four tones: mā (妈), má (麻), mǎ (马), mà (骂).",
    "Vector: 𝐯 = (vₓ, v_y); angle: θ; angular speed: ω = dθ/dt; torque: τ = r × F.",
    "Tên tôi là Nguyễn Văn Đức. Tôi dùng Python và JavaScript mỗi ngày.",
    "Beijing (北京) hosted the games in 2008 and 2022; Tokyo (東京) in 1964 and 2021; Seoul (서울) in 1988.",
    "ב-2023 השקנו את הAPI החדש, עם תמיכה בJSON וב-XML.",
    "Я использую MacBook Pro с чипом M3, VS Code и iTerm2, а на работе — Windows 11.",
    "Der russische Name ist Москва, der japanische 東京, der arabische القاهرة.",
)
more = [
    "The recipe needs two eggs, some flour and a litt{} milk, all at room temperature.",
    "Our tests show that the new index is fast{} than the old one by a factor of three.",
    "Write the function first, and the docu{} of it afterwards, while you still remember it.",
    "The bridge was built in 1894 and is still open for light traf{} today.",
]
for i, part in enumerate(
    [
        "ที่สุด",
        "ельный",
        "العربية",
        "ושלום",
        "क्योंकि",
        "コード",
        "코드입니다",
        "数据库",
        "ებისა",
        "ของ",
        "ности",
        "について",
    ]
):
    mix("again", more[i % len(more)].format(part))

# --------------------------------------------------------------------------------------------- calls, ends and JSON
events: list[Row] = []


def case(
    kind: str,
    defects: list[str],
    steps: list[Any],
    tools: list[str] | None = None,
    asks_json: bool = False,
    finish: str = "stop",
    complete: bool = True,
) -> None:
    row: Row = {"kind": kind, "defects": defects, "events": steps}
    if tools is not None or asks_json:
        row["asked"] = {"tools": tools or [], "json": asks_json}
    if finish != "stop":
        row["finish"] = finish
    if not complete:
        row["complete"] = False
    events.append(row)


TOOLS = ["get_weather", "search", "read_file"]
good_arguments = [
    "{}",
    '{"city": "Oslo"}',
    ' {"a": [1, 2.5e-3, true, false, null]} ',
    '{"text": "a \\"quoted\\" word, \\u00e9 and a \\n"}',
    "",
    " \n",
    '{"a": {"b": {"c": []}}}',
    '{"path": "C:\\\\tmp"}',
    '{"q": "日本語 😀"}',
    '{"n": -0.0}',
    '{"a": 1, "a": 2}',
    '{"code": "if (x) { return [1]; }"}',
    '{"empty": ""}',
    '{\n  "city": "Oslo",\n  "days": 3\n}\n',
    '{"html": "<a href=\\"x\\">}{</a>"}',
]
for arguments in good_arguments:
    case("good arguments", [], [["call", "get_weather", arguments]], TOOLS)
bad_arguments = [
    '{"city": "Oslo"',
    '{"city": "Os',
    '{}{"city": "Oslo"}',
    '{"city": "Oslo"}{"city": "Oslo"}',
    '{"city": "Oslo"}}',
    "{'city': 'Oslo'}",
    '{city: "Oslo"}',
    '{"city": "Oslo",}',
    "city=Oslo",
    '"{\\"city\\": \\"Oslo\\"}"',
    '["Oslo"]',
    "null",
    "42",
    '{"city": Oslo}',
    '{"a": "line\nline"}',
    '{"a": "\\x41"}',
    '<tool_call>{"city": "Oslo"}',
    '{"city": "Oslo"}</tool_call>',
    '{"city": "Oslo"}<|im_end|>',
    '```json\n{"city": "Oslo"}\n```',
    '{"a": 01}',
    '{"a": True}',
    '{"a" "b"}',
    '{"a": 1 "b": 2}',
    '{"a": [1, 2}',
    '{"a": NaN}',
    '{"a": .5}',
    'Sure, here it is: {"city": "Oslo"}',
    '{"city": "Oslo"}, {"city": "Rome"}',
    '{"path": "C:\\tmp\\x"}',
]
for arguments in bad_arguments:
    case("bad arguments", ["tool_args_invalid"], [["call", "get_weather", arguments]], TOOLS)
case(
    "one of several",
    ["tool_args_invalid"],
    [["call", "search", "{}"], ["call", "search", '{"q": '], ["call", "search", "{}"]],
    TOOLS,
)
case("cut arguments", [], [["call", "get_weather", '{"city": "Os']], TOOLS, finish="length")
case("cut arguments", [], [["call", "get_weather", '{"city": "Os']], TOOLS, finish="content_filter")
case("cut arguments", [], [["call", "get_weather", '{"city": "Os']], TOOLS, complete=False)
case("arguments of a custom tool", [], [["call", "apply", None]], ["apply"])

for name in ["get_weather", "search", "read_file"]:
    case("offered", [], [["answer", "I'll look."], ["call", name, "{}"]], TOOLS)
case("offered", [], [["call", "search", "{}"], ["call", "read_file", "{}"]], TOOLS)
case("none named", [], [["call", "anything", "{}"]], [])
case("not seen", [], [["call", "anything", "{}"]])
case("too many", [], [["call", "anything", "{}"]], [f"tool_{i}" for i in range(129)])
case("many", [], [["call", "tool_127", "{}"]], [f"tool_{i}" for i in range(128)])
case("without a name", [], [["call", "", "{}"]], TOOLS)
case("other alphabets", [], [["call", "найти", "{}"]], ["найти"])
for name in [
    "get_wether",
    "GetWeather",
    "get_weather ",
    "functions.get_weather",
    "get_weather:0",
    "default_api.search",
    "searchsearch",
    "Search",
    "web_search",
    "read",
    "read_file_v2",
    "python",
    "get_weather_get_weather",
    "bash",
    "final_answer",
    "json",
    "mcp__search",
    "search\n",
    '"search"',
    "get-weather",
    "get weather",
    "call_search",
    "assistant",
    "search.query",
    "tool_search",
]:
    case("unknown name", ["tool_name_unknown"], [["call", name, "{}"]], TOOLS)
case("unknown name", ["tool_name_unknown"], [["call", "search", "{}"], ["call", "serach", "{}"]], TOOLS)
case("unknown name", ["tool_name_unknown"], [["call", "tool_128", "{}"]], [f"tool_{i}" for i in range(128)])

case("empty", ["empty"], [])
case("empty", ["empty"], [["answer", ""]])
case("empty", ["empty"], [["answer", ""], ["reasoning", ""], ["end_item"]])
case("empty", ["empty"], [["end_item"], ["end_item"]], TOOLS)
case("empty", ["empty"], [], finish="length")
case("empty", ["empty"], [["answer", ""]], finish="content_filter")
case("not empty", [], [["answer", " "]])
case("not empty", [], [["answer", "."]])
case("not empty", [], [["other"]])
case("not empty", [], [["other"], ["answer", ""]])
case("not empty", [], [["call", "search", ""]], TOOLS)
case("broken off", [], [], complete=False)
case("broken off", [], [["reasoning", "Hm."]], complete=False)
case("reasoning only", ["reasoning_only"], [["reasoning", "The user says hi."]])
case("reasoning only", ["reasoning_only"], [["reasoning", "The user says hi."], ["end_item"], ["answer", ""]])
case("reasoning only", ["reasoning_only"], [["reasoning", "The user wants a long text."]], finish="length")
case("reasoning only", ["reasoning_only"], [["reasoning", "So I call the tool."]], TOOLS)
case("reasoning and more", [], [["reasoning", "The user says hi."], ["answer", "Hi!"]])
case("reasoning and more", [], [["reasoning", "I call it."], ["call", "search", "{}"]], TOOLS)
case("reasoning and more", [], [["reasoning", "I paint it."], ["other"]])

for text in [
    "{}",
    "[]",
    '{"a": 1}',
    ' {"a": 1}\n',
    '"text"',
    "42",
    "true",
    "null",
    '{\n  "items": [\n    {"id": 1}\n  ]\n}',
    '{"text": "```json\\n{}\\n```"}',
    '[{"a": "ü"}, {"b": "\\u00fc"}]',
    '{"reply": "I can\'t help with that."}',
    "-1.5",
]:
    case("JSON", [], [["answer", text]], asks_json=True)
for text in [
    'Here is the JSON:\n{"a": 1}',
    '```json\n{"a": 1}\n```',
    '```\n{"a": 1}\n```',
    '{"a": 1}\n\nLet me know if you need more.',
    '{"a": 1}{"a": 1}',
    '{"a": 1}\n{"a": 2}',
    '{"a": 1',
    "{'a': 1}",
    '{"a": 1,}',
    "I'm sorry, I can't do that.",
    "a: 1\nb: 2",
    "| a |\n|---|\n| 1 |",
    '{"a": "b\nc"}',
    '<json>{"a": 1}</json>',
    "{a: 1}",
    '// result\n{"a": 1}',
    '{"a": undefined}',
    "The capital is Paris.",
    '{"a": 1}}',
    "[1, 2, 3",
    '{"a": “b”}',
    '{"a": "\\*"}',
    'json\n{"a": 1}',
    "\n\n\n",
    '{"a": 1}\n```',
    "Ok",
]:
    case("no JSON", ["json_missing"], [["answer", text]], asks_json=True)
case("not asked", [], [["answer", "The capital is Paris."]], TOOLS)
case("cut JSON", [], [["answer", '{"a": ']], asks_json=True, finish="length")
case("cut JSON", [], [["answer", '{"a": ']], asks_json=True, finish="content_filter")
case("cut JSON", [], [["answer", '{"a": ']], asks_json=True, complete=False)
case("a call instead", [], [["answer", "I'll look."], ["call", "search", "{}"]], TOOLS, asks_json=True)
case("a refusal instead", [], [["other"]], asks_json=True)
case(
    "JSON in the last text",
    [],
    [["answer", "I'll search the web."], ["end_item"], ["answer", '{"a": 1}']],
    asks_json=True,
)
case("JSON in several texts", [], [["answer", '{"a": '], ["end_item"], ["answer", "1}"]], asks_json=True)
case("JSON after reasoning", [], [["reasoning", "I need an object."], ["answer", '{"a": 1}']], asks_json=True)
case("JSON in the reasoning", ["json_missing"], [["reasoning", '{"a": 1}'], ["answer", "Done."]], asks_json=True)
case(
    "two JSON texts and words",
    ["json_missing"],
    [["answer", '{"a": 1}'], ["end_item"], ["answer", "That is all."]],
    asks_json=True,
)

for text in [
    "Hello! How can I assist you today? \ufffd\ufffd",
    "caf\ufffd au lait",
    "삼겹\ufffd 구이",
    "The \ufffd\ufffdábel",
    "Great \ufffd!",
    "価格は\ufffd円です",
    "\ufffd",
    "- one\n- tw\ufffd\n- three",
    "Привет, ми\ufffd!",
    "Done \ufffd\n\nNext step",
    'He said "caf\ufffd" twice.',
    "**Gr\ufffd\ufffde** aus Wien",
    "🎉\ufffd",
    "a\ufffdb\ufffdc",
    "The price is 10 \ufffd.",
]:
    case("replacement character", ["replacement_char"], [["answer", text]])
for text in [
    "It is written `\ufffd`.",
    "The character (\ufffd) is U+FFFD.",
    'You see "\ufffd" in place of it.',
    "```\ncaf\ufffd\n```\nThat is the output.",
    "U+FFFD, “\ufffd”, is the replacement character.",
    "A ￼ is an object replacement.",
    "￿ and ﻿ are others.",
    "ï¿½ is how it looks in Latin-1.",
    "用「\ufffd」表示。",
]:
    case("named or another", [], [["answer", text]])
case("in reasoning alone", [], [["reasoning", "caf\ufffd"], ["answer", "Coffee."]])

if __name__ == "__main__":
    write("negatives.jsonl", negatives)
    write("repetition.jsonl", [row for row in repetition if row])
    write("control_token.jsonl", tokens)
    write("mixed_script.jsonl", mixed)
    write("events.jsonl", events)
