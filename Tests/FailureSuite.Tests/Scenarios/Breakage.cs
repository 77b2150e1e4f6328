using System.Text.Json;
using AspireStreaming.FailureSuite.Tests.Running;
using AspireStreaming.FailureSuite.Tests.World;
using AspireStreaming.SystemSupport;

namespace AspireStreaming.FailureSuite.Tests.Scenarios;

/// <summary>What a scenario works with.</summary>
internal sealed class Breakage(FailureWorld world, ScenarioRun run, Random random)
{
    private static readonly TimeSpan ShortHold = TimeSpan.FromSeconds(1.5);

    public FailureWorld World => world;

    public ScenarioRun Run => run;

    public Random Random => random;

    public static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>The ids of the connections that follow a stream, on any replica.</summary>
    /// <returns>Null where another fault keeps a replica from answering.</returns>
    public async Task<IReadOnlySet<string>?> ConnectionsAsync(string stream)
    {
        var ids = new HashSet<string>();

        // Each new connection reaches the next replica.
        for (var replica = 0; replica < 4; replica++)
        {
            using var client = world.System.Client("stream-api");
            string text;
            try
            {
                text = await client.GetStringAsync(new Uri("/connections", UriKind.Relative), Cancelled);
            }
            catch (HttpRequestException)
            {
                return null;
            }

            using var answer = JsonDocument.Parse(text);
            ids.UnionWith(answer.RootElement.GetProperty("connections").EnumerateArray()
                .Where(connection => connection.GetProperty("stream").GetString() == stream)
                .Select(connection => connection.GetProperty("id").GetString()!));
        }

        await Pause.ForAsync(TimeSpan.FromMilliseconds(200), Cancelled);
        return ids;
    }

    /// <summary>Lets the fault last: this long in the full form, a moment in the short one.</summary>
    public static Task HoldAsync(double seconds)
    {
        var full = TimeSpan.FromSeconds(seconds);
        return Pause.ForAsync(SuiteSettings.IsFull || full < ShortHold ? full : ShortHold, Cancelled);
    }
}
