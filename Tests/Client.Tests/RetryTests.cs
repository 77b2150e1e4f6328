using System.Net;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Client.Tests;

public sealed class RetryTests
{
    [Fact]
    public async Task RunAsync_transient_faults_repeats_until_success()
    {
        var calls = 0;
        var retry = new Retry(TimeSpan.FromSeconds(10), TimeProvider.System);

        var result = await retry.RunAsync(
            _ => ++calls < 3 ? throw Fault(HttpStatusCode.ServiceUnavailable) : Task.FromResult(calls), TestContext.Current.CancellationToken);

        Assert.Equal(3, result);
    }

    [Fact]
    public async Task RunAsync_permanent_fault_throws_at_once()
    {
        var calls = 0;
        var retry = new Retry(TimeSpan.FromSeconds(10), TimeProvider.System);

        await Assert.ThrowsAsync<ApiException>(() => retry.RunAsync<int>(
            _ => throw Fault(HttpStatusCode.BadRequest, ++calls), TestContext.Current.CancellationToken));

        Assert.Equal(1, calls);
    }

    [Fact]
    public async Task RunAsync_gives_up_after_the_time()
    {
        var retry = new Retry(TimeSpan.FromMilliseconds(50), TimeProvider.System);

        await Assert.ThrowsAsync<ServiceUnreachableException>(() => retry.RunAsync<int>(
            static _ => throw Fault(HttpStatusCode.ServiceUnavailable), TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Delay_is_at_least_the_hint_and_else_at_most_the_longest()
    {
        for (var failures = 1; failures < 40; failures++)
        {
            Assert.InRange(Retry.Delay(failures, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(8), null), TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(8));
            Assert.InRange(
                Retry.Delay(failures, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(8), TimeSpan.FromSeconds(9)),
                TimeSpan.FromSeconds(9),
                TimeSpan.FromSeconds(12));
        }
    }

    private static ApiException Fault(HttpStatusCode status, int number = 0) => new(status, ApiProblem.None, null, $"fault {number}");
}
