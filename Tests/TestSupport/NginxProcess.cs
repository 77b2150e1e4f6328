using System.Globalization;
using System.Net;
using System.Net.Sockets;
using AspireStreaming.TestSupport.Processes;

namespace AspireStreaming.TestSupport;

/// <summary>
/// A real nginx on 127.0.0.1 before a server: <c>proxy_pass</c> and nothing else, so that everything about proxying is as nginx
/// comes. Ends with the test process, whatever ends that.
/// </summary>
public sealed class NginxProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(20);
    private static readonly string[] Programs = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx", "/opt/homebrew/bin/nginx"];

    private readonly string _folder;
    private readonly int _port;
    private GuardedProcess? _process;

    private NginxProcess(string folder, int port)
    {
        _folder = folder;
        _port = port;
    }

    /// <summary>Why none can be started, for <c>Assert.SkipWhen</c>; null: it can.</summary>
    public static string? UnavailableReason { get; } = Array.Exists(Programs, File.Exists) ? null : "nginx is not installed";

    /// <summary>Where clients reach it.</summary>
    public Uri Url => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{_port}/"));

    /// <summary>Starts one and returns when it accepts connections.</summary>
    public static async Task<NginxProcess> StartAsync(Uri server, CancellationToken cancellationToken)
    {
        var nginx = new NginxProcess(Directory.CreateTempSubdirectory("nginx-test-").FullName, ServerPorts.PickFree());
        await File.WriteAllTextAsync(
            Path.Combine(nginx._folder, "nginx.conf"),
            $$"""
            daemon off;
            master_process off;
            pid {{nginx._folder}}/nginx.pid;
            error_log stderr;
            events {}
            http {
              access_log off;
              client_body_temp_path {{nginx._folder}};
              proxy_temp_path {{nginx._folder}};
              fastcgi_temp_path {{nginx._folder}};
              uwsgi_temp_path {{nginx._folder}};
              scgi_temp_path {{nginx._folder}};
              server {
                listen 127.0.0.1:{{nginx._port.ToString(CultureInfo.InvariantCulture)}};
                location / {
                  proxy_pass {{server.GetLeftPart(UriPartial.Authority)}};
                }
              }
            }
            """,
            cancellationToken);
        await nginx.StartAsync(cancellationToken);
        return nginx;
    }

    /// <summary>Starts a killed one again at the same port.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        string[] command = [Array.Find(Programs, File.Exists)!, "-p", _folder, "-c", Path.Combine(_folder, "nginx.conf"), "-e", "stderr"];
        _process = await GuardedProcess.StartAsync("TERM", Path.Combine(_folder, "nginx.log"), null, command, cancellationToken);
        var process = _process;
        await Eventually.TrueAsync(
            async () =>
            {
                if (process.HasExited)
                {
                    throw new InvalidOperationException(
                        $"nginx ended: {await File.ReadAllTextAsync(Path.Combine(_folder, "nginx.log"), cancellationToken)}");
                }

                try
                {
                    using var probe = new TcpClient();
                    await probe.ConnectAsync(IPAddress.Loopback, _port, cancellationToken);
                    return true;
                }
                catch (SocketException)
                {
                    return false;
                }
            },
            StartTimeout,
            "nginx accepts connections",
            cancellationToken);
    }

    /// <summary>SIGKILL: every connection through it is cut.</summary>
    public async Task KillAsync()
    {
        if (_process is { } process)
        {
            _process = null;
            process.Kill();
            await process.DisposeAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
