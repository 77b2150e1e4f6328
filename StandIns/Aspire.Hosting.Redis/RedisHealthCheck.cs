using System.Net.Sockets;
using System.Text;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.Redis;

/// <summary>Asks PING over a connection of its own. The protocol is small enough to need no client library here.</summary>
internal sealed class RedisHealthCheck(RedisResource redis) : IHealthCheck
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(Timeout);
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(redis.PrimaryEndpoint.Host, redis.PrimaryEndpoint.Port, timeout.Token).ConfigureAwait(false);
            await using var stream = client.GetStream();
            using var reader = new StreamReader(stream, Encoding.UTF8);
            if (redis.PasswordParameter is { } parameter)
            {
                var password = await parameter.GetValueAsync(timeout.Token).ConfigureAwait(false) ?? "";
                var length = Encoding.UTF8.GetByteCount(password);
                var reply = await AskAsync($"*2\r\n$4\r\nAUTH\r\n${length}\r\n{password}\r\n").ConfigureAwait(false);
                if (reply != "+OK")
                {
                    return HealthCheckResult.Unhealthy($"AUTH was answered: {reply}");
                }
            }

            var pong = await AskAsync("*1\r\n$4\r\nPING\r\n").ConfigureAwait(false);
            return pong == "+PONG" ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy($"PING was answered: {pong}");

            async Task<string?> AskAsync(string command)
            {
                await stream.WriteAsync(Encoding.UTF8.GetBytes(command), timeout.Token).ConfigureAwait(false);
                return await reader.ReadLineAsync(timeout.Token).ConfigureAwait(false);
            }
        }
        catch (Exception exception) when (exception is SocketException or IOException)
        {
            return HealthCheckResult.Unhealthy(exception.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return HealthCheckResult.Unhealthy($"No answer within {Timeout.TotalSeconds} s.");
        }
    }
}
