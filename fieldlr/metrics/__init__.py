"""PSNR, SSIM, IoU, Chamfer distance, F-score, rate-distortion curves and BD-rate."""
