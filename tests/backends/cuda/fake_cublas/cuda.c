/* As much of NVIDIA's driver as the bindings ask before they open cuBLASLt. */

int cuDriverGetVersion(int *version)
{
	*version = 13000;
	return 0;
}
