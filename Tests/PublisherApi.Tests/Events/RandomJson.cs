using System.Globalization;
using System.Text;

namespace AspireStreaming.PublisherApi.Tests.Events;

/// <summary>Random well-formed JSON, as somebody might write it and without its insignificant whitespace.</summary>
internal sealed class RandomJson(Random random)
{
    private static readonly string[] Escapes = ["\\n", "\\/", "\\\"", "\\\\", "\\u00e9", "\\u00E9", "\\uD83D\\uDE00", "\\ud800", "\\b", "\\u0000", "/", "é", "😀", "日本", "\\u2028", " ", "  ", "{", "]", ",", ":"];
    private static readonly string[] Numbers = ["0", "-0", "1.0e5", "1E+400", "123456789012345678901", "-0.000", "9007199254740993", "1e-7", "3.14159265358979323846264338327950288"];

    private readonly StringBuilder _written = new();
    private readonly StringBuilder _compact = new();

    public (string Written, string Compact) Next()
    {
        _written.Clear();
        _compact.Clear();
        Value(0);
        return (_written.ToString(), _compact.ToString());
    }

    private void Value(int depth)
    {
        switch (random.Next(depth > 6 ? 5 : 8))
        {
            case 0:
                Token("true");
                break;
            case 1:
                Token(random.Next(2) == 0 ? "false" : "null");
                break;
            case 2:
                Token(
                    random.Next(2) == 0 ? Numbers[random.Next(Numbers.Length)] : random.NextInt64().ToString(CultureInfo.InvariantCulture));
                break;
            case 3 or 4:
                Text();
                break;
            case 5 or 6:
                Token("{");
                for (int count = random.Next(5), index = 0; index < count; index++)
                {
                    Text();
                    Token(":");
                    Value(depth + 1);
                    if (index < count - 1)
                    {
                        Token(",");
                    }
                }

                Token("}");
                break;
            default:
                Token("[");
                for (int count = random.Next(5), index = 0; index < count; index++)
                {
                    Value(depth + 1);
                    if (index < count - 1)
                    {
                        Token(",");
                    }
                }

                Token("]");
                break;
        }
    }

    private void Text()
    {
        var text = new StringBuilder("\"");
        for (var left = random.Next(8); left > 0; left--)
        {
            text.Append(random.Next(2) == 0 ? Escapes[random.Next(Escapes.Length)] : ((char)random.Next('a', 'z' + 1)).ToString());
        }

        Token(text.Append('"').ToString());
    }

    private void Token(string token)
    {
        Space();
        _written.Append(token);
        _compact.Append(token);
        Space();
    }

    private void Space()
    {
        for (var left = random.Next(3); left > 0; left--)
        {
            _written.Append(" \t\r\n"[random.Next(4)]);
        }
    }
}
