using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using AspireStreaming.TestSupport;

namespace AspireStreaming.Grpc.Tests;

/// <summary>The waiting and the script runner that other test projects build on.</summary>
public sealed partial class TestSupportTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task NodeClient_script_over_its_deadline_is_killed_and_its_output_told()
    {
        SkipWithoutNode();

        var failure = await Assert.ThrowsAsync<TimeoutException>(
            () => NodeClient.RunAsync("Interop/never_ends.cjs", [], TimeSpan.FromSeconds(2), Cancelled));

        var id = int.Parse(OutputNumber().Match(failure.Message).Groups[1].Value, CultureInfo.InvariantCulture);
        Assert.Throws<ArgumentException>(() => Process.GetProcessById(id));
    }

    [Fact]
    public async Task NodeClient_cancelled_run_throws_at_once()
    {
        SkipWithoutNode();
        using var source = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        var run = NodeClient.RunAsync("Interop/never_ends.cjs", [], source.Token);

        await source.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run).WaitAsync(TimeSpan.FromSeconds(15), Cancelled);
    }

    [Fact]
    public async Task Eventually_polls_until_the_condition_is_true()
    {
        var polls = 0;

        await Eventually.TrueAsync(() => ++polls == 3, TimeSpan.FromSeconds(15), "the third poll has come", Cancelled);

        Assert.Equal(3, polls);
    }

    [Fact]
    public async Task Eventually_deadline_names_the_condition_and_the_caller()
    {
        var failure = await Assert.ThrowsAsync<TimeoutException>(
            () => Eventually.TrueAsync(() => false, TimeSpan.FromMilliseconds(100), "pigs fly", Cancelled));

        Assert.Contains("pigs fly", failure.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(Eventually_deadline_names_the_condition_and_the_caller), failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Eventually_deadline_ends_a_condition_that_hangs()
    {
        var never = new TaskCompletionSource<bool>();

        await Assert.ThrowsAsync<TimeoutException>(
            () => Eventually.TrueAsync(() => never.Task, TimeSpan.FromMilliseconds(100), "an answer has come", Cancelled));
    }

    private static void SkipWithoutNode() =>
        Assert.SkipWhen(NodeClient.UnavailableReason is not null, NodeClient.UnavailableReason ?? "");

    [GeneratedRegex("Output: ([0-9]+)")]
    private static partial Regex OutputNumber();
}
