using AspireStreaming.StreamApi.Tests.Support;

namespace AspireStreaming.StreamApi.Tests.Sse;

/// <summary>
/// Random interleavings of publishing, reading, disconnecting at any frame and resuming with the vector, against what was published:
/// every event of every stream once and in order.
/// </summary>
public sealed class MultiStreamModelTests(SharedHost shared)
{
    private const int Streams = 4;
    private const int Connections = 12;

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, true)]
    [InlineData(4, true)]
    public async Task Every_event_comes_once_and_in_order(int seed, bool isFiltered)
    {
        var random = new Random(seed);
        var cuts = new Random(seed + 1_000);
        string[] names = [.. Enumerable.Range(0, Streams).Select(_ => TestLog.NewStream("model"))];
        var published = new int[Streams];
        var wanted = names.ToDictionary(name => name, _ => new List<int>());
        var received = names.ToDictionary(name => name, _ => new List<int>());
        var query = "/events?" + string.Join('&', names.Select(name => "stream=" + name)) + (isFiltered ? "&types=X" : "");
        string? id = null;
        for (var connection = 0; connection < Connections; connection++)
        {
            await PublishAsync();
            await using var client = await shared.Host.OpenAsync(query, id);
            Assert.Equal(200, client.Status);
            var publishing = PublishAsync();

            // A connection that reads nothing more than its first frame is one too. There are at least that many frames to read.
            for (var frames = cuts.Next(1, 1 + Streams); frames > 0; frames--)
            {
                Take((await client.ReadAsync())!);
            }

            await publishing;
        }

        await using var last = await shared.Host.OpenAsync(query, id);
        for (var caughtUp = 0; caughtUp < Streams;)
        {
            var frame = (await last.ReadAsync())!;
            Take(frame);
            caughtUp += frame.Event == "stream.caught-up" ? 1 : 0;
        }

        Assert.All(names, name => Assert.Equal(wanted[name], received[name]));

        async Task PublishAsync()
        {
            for (var appends = random.Next(6); appends > 0; appends--)
            {
                var stream = random.Next(Streams);
                var number = ++published[stream];
                var type = !isFiltered || random.Next(3) == 0 ? "X" : "T";
                if (type == "X")
                {
                    wanted[names[stream]].Add(number);
                }

                await shared.Log.AppendAsync(
                    names[stream], shared.Log.Event(type, number.ToString(System.Globalization.CultureInfo.InvariantCulture)));
            }
        }

        void Take(SseFrame frame)
        {
            id = frame.Id ?? id;
            if (frame.Data is null)
            {
                return;
            }

            if (frame.IsControl)
            {
                Assert.Equal("stream.caught-up", frame.Event);
                return;
            }

            received[frame.Json.GetProperty("stream").GetString()!].Add(frame.Number);
        }
    }
}
