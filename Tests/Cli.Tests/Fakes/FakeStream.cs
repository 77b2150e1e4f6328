using System.Globalization;

namespace AspireStreaming.Cli.Tests.Fakes;

/// <summary>A stream in memory. The three lists are what the three tiers hold; tests spoil them as they like.</summary>
internal sealed class FakeStream(string name)
{
    public const long Epoch = 1763646000000;

    public List<FakeEvent> Combined { get; } = [];

    public List<FakeEvent> Archive { get; } = [];

    public List<FakeEvent> Log { get; } = [];

    public Dictionary<string, string> Positions { get; } = [];

    /// <summary>After which position a hole is announced: the gap's JSON.</summary>
    public Dictionary<string, string> Gaps { get; } = [];

    public string? EndType { get; private set; }

    public string? First { get; set; }

    public string? Last { get; set; }

    public string? ArchivedTo { get; set; }

    public static string At(long sequence, long epoch = Epoch) => string.Create(CultureInfo.InvariantCulture, $"{epoch}-{sequence}");

    public string Delivered(string position, string type, string data, string id = "", string source = "/test", string extra = "")
    {
        var sequence = position.Split('-')[1];
        var time = DateTimeOffset.UnixEpoch.AddMilliseconds(Epoch + long.Parse(sequence, CultureInfo.InvariantCulture))
            .ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        return $$"""{"stream":"{{name}}","position":"{{position}}","sequence":{{sequence}},"recordedtime":"{{time}}","specversion":"1.0","id":"{{(id.Length > 0 ? id : position)}}","source":"{{source}}","type":"{{type}}","time":"{{time}}","datacontenttype":"application/json",{{extra}}"data":{{data}}}""";
    }

    /// <summary>Appends to all three tiers.</summary>
    public FakeEvent Append(string type, string data, string id = "", string source = "/test", string? position = null)
    {
        position ??= At(Combined.Count + 1);
        var item = new FakeEvent(position, type, data, Delivered(position, type, data, id, source));
        Combined.Add(item);
        Archive.Add(item);
        Log.Add(item);
        First ??= position;
        Last = position;
        ArchivedTo = position;
        if (type is "WORKFLOW_COMPLETED" or "STREAM_END")
        {
            EndType = type;
        }

        return item;
    }

    public void Fill(int count)
    {
        for (var index = 1; index <= count; index++)
        {
            Append("chunk", $$"""{"n":{{index}}}""");
        }
    }
}
