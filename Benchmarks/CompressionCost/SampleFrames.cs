using System.Globalization;
using System.Text;

namespace AspireStreaming.CompressionCost;

/// <summary>Frames as an agent's run makes them: the same envelope each time, and words.</summary>
internal static class SampleFrames
{
    private static readonly string[] Words =
    [
        "the", "agent", "calls", "tool", "search", "result", "token", "workflow", "error", "plan", "step", "value", "number", "with", "and", "of",
    ];

    /// <summary>Makes SSE frames whose data has so many bytes.</summary>
    public static byte[][] Create(int count, int dataBytes)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(1, count).Select(number => Encoding.UTF8.GetBytes(Frame(number, Text(random, dataBytes), random)))];
    }

    private static string Frame(int number, string text, Random random)
    {
        var seconds = number / 50;
        var time = string.Create(CultureInfo.InvariantCulture, $"2026-01-02T03:{seconds / 60 % 60:00}:{seconds % 60:00}.{random.Next(1000):000}Z");
        return string.Create(
            CultureInfo.InvariantCulture,
            $$$"""
            id: 1767323045000-{{{number}}}
            event: AGENT_TOKEN
            data: {"stream":"run-4711","position":"1767323045000-{{{number}}}","sequence":{{{number}}},"recordedtime":"{{{time}}}","specversion":"1.0","id":"{{{random.NextInt64():x16}}}","source":"/publisher","type":"AGENT_TOKEN","time":"{{{time}}}","datacontenttype":"application/json","data":{"text":"{{{text}}}"}}


            """);
    }

    private static string Text(Random random, int length)
    {
        var text = new StringBuilder();
        while (text.Length < length)
        {
            text.Append(Words[random.Next(Words.Length)]).Append(' ');
            if (random.Next(6) == 0)
            {
                text.Append(random.Next(100_000)).Append(' ');
            }
        }

        return text.ToString(0, length);
    }
}
